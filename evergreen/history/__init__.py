"""History: training sets joined as of each label's time, and their snapshots as versions of a Delta table.

The names below load on first use, so that importing this package costs nothing at the start of a command.
"""

from typing import TYPE_CHECKING

from evergreen.lazy import on_first_use

if TYPE_CHECKING:
    from evergreen.history.build import TrainingSet, build_training_set
    from evergreen.history.versions.snapshots import Snapshot, read_snapshot, snapshot, snapshot_uri

_HOMES = {
    "Snapshot": "versions.snapshots",
    "TrainingSet": "build",
    "build_training_set": "build",
    "read_snapshot": "versions.snapshots",
    "snapshot": "versions.snapshots",
    "snapshot_uri": "versions.snapshots",
}

__all__ = ["Snapshot", "TrainingSet", "build_training_set", "read_snapshot", "snapshot", "snapshot_uri"]

__getattr__ = on_first_use(__name__, _HOMES)
