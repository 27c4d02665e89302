"""One small interface over local folders, MinIO/S3 and GCS, with compare-and-swap.

The names below load on first use, so that importing this package costs nothing at the start of a command.
"""

from typing import TYPE_CHECKING

from evergreen.lazy import on_first_use

if TYPE_CHECKING:
    from evergreen.storage.delta import delta_options
    from evergreen.storage.interface import Entry, Store
    from evergreen.storage.places import default_store, open_store

_HOMES = {
    "Entry": "interface",
    "Store": "interface",
    "default_store": "places",
    "delta_options": "delta",
    "open_store": "places",
}

__all__ = ["Entry", "Store", "default_store", "delta_options", "open_store"]

__getattr__ = on_first_use(__name__, _HOMES)
