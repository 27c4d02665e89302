"""Serving: the model server, its metrics, and batch prediction."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evergreen.serving.app import Limits
    from evergreen.serving.batch import predict_batch
    from evergreen.serving.server import serve, serve_bundle

_HOMES = {"Limits": "app", "predict_batch": "batch", "serve": "server", "serve_bundle": "server"}

__all__ = ["Limits", "predict_batch", "serve", "serve_bundle"]


def __getattr__(name: str) -> Any:
    """Load the module of a name on its first use (PEP 562): the command line must start quickly."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
