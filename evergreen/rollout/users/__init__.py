"""The slow evidence: what the prediction log and the outcomes say about users, pairs and outputs."""

from typing import TYPE_CHECKING

from evergreen.lazy import on_first_use

if TYPE_CHECKING:
    from evergreen.rollout.users.reader import UserReader, UserReading

_HOMES = {"UserReader": "reader", "UserReading": "reader"}

__all__ = ["UserReader", "UserReading"]

__getattr__ = on_first_use(__name__, _HOMES)
