"""Serving: the model server, its metrics, and batch prediction."""

from typing import TYPE_CHECKING

from evergreen.lazy import on_first_use

if TYPE_CHECKING:
    from evergreen.serving.app import Limits
    from evergreen.serving.batch import predict_batch
    from evergreen.serving.server import serve, serve_bundle

_HOMES = {"Limits": "app", "predict_batch": "batch", "serve": "server", "serve_bundle": "server"}

__all__ = ["Limits", "predict_batch", "serve", "serve_bundle"]

__getattr__ = on_first_use(__name__, _HOMES)
