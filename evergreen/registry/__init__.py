"""The model registry: immutable versions and moving aliases as objects of a store.

Layout, below the store's root:

    models/<name>/versions/<000001>/claim.json     who took the number, for which content
    models/<name>/versions/<000001>/bundle/…       the bundle's files
    models/<name>/versions/<000001>/version.json   written last: without it there is no version
    models/<name>/aliases.json                     aliases and the history of their moves, compare-and-swapped

The names below load on first use, so that importing this package costs nothing at the start of a command.
"""

from typing import TYPE_CHECKING

from evergreen.lazy import on_first_use

if TYPE_CHECKING:
    from evergreen.registry.publishing import Published, publish
    from evergreen.registry.records import Model, ModelVersion, Move
    from evergreen.registry.registry import Registry

_HOMES = {
    "Model": "records",
    "ModelVersion": "records",
    "Move": "records",
    "Published": "publishing",
    "Registry": "registry",
    "publish": "publishing",
}

__all__ = ["Model", "ModelVersion", "Move", "Published", "Registry", "publish"]

__getattr__ = on_first_use(__name__, _HOMES)
