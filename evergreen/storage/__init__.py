"""One small interface over local folders, MinIO/S3 and GCS, with compare-and-swap.

The names below load on first use, so that importing this package costs nothing at the start of a command.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    """Load the module of a name on its first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
