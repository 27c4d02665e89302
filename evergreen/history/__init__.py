"""History: training sets joined as of each label's time, and their snapshots as versions of a Delta table.

The names below load on first use, so that importing this package costs nothing at the start of a command.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evergreen.history.build import TrainingSet, build_training_set
    from evergreen.history.snapshot import Snapshot, read_snapshot, snapshot, snapshot_uri

_HOMES = {
    "Snapshot": "snapshot",
    "TrainingSet": "build",
    "build_training_set": "build",
    "read_snapshot": "snapshot",
    "snapshot": "snapshot",
    "snapshot_uri": "snapshot",
}

__all__ = ["Snapshot", "TrainingSet", "build_training_set", "read_snapshot", "snapshot", "snapshot_uri"]


def __getattr__(name: str) -> Any:
    """Load the module of a name on its first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
