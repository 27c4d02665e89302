"""Where records of rollouts are kept, each changed by compare-and-swap: folder, bucket, ConfigMaps.

The names below load on first use, so that importing this package costs nothing at the start of a command.
"""

from typing import TYPE_CHECKING

from evergreen.lazy import on_first_use

if TYPE_CHECKING:
    from evergreen.rollout.stores.interface import Kept, StateStore
    from evergreen.rollout.stores.places import default_state, open_state

_HOMES = {"Kept": "interface", "StateStore": "interface", "default_state": "places", "open_state": "places"}

__all__ = ["Kept", "StateStore", "default_state", "open_state"]

__getattr__ = on_first_use(__name__, _HOMES)
