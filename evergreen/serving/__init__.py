"""Serving: the model server, its metrics, and batch prediction."""

from typing import TYPE_CHECKING

from evergreen.lazy import on_first_use

if TYPE_CHECKING:
    from evergreen.serving.batch import predict_batch
    from evergreen.serving.server import Options, serve, serve_bundle
    from evergreen.serving.settings import Limits

_HOMES = {
    "Limits": "settings",
    "Options": "server",
    "predict_batch": "batch",
    "serve": "server",
    "serve_bundle": "server",
}

__all__ = ["Limits", "Options", "predict_batch", "serve", "serve_bundle"]

__getattr__ = on_first_use(__name__, _HOMES)
