"""The model bundle: a folder with one model, what it takes and gives, and digests that prove it unchanged.

The names below load on first use, so that a server that runs the ONNX graph imports neither scikit-learn
nor pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evergreen.bundle.load import Bundle, load_bundle
    from evergreen.bundle.manifest import verify
    from evergreen.bundle.save import BundleInfo, save_bundle
    from evergreen.bundle.signature import Input, Prediction, Signature

_HOMES = {
    "Bundle": "load",
    "BundleInfo": "save",
    "Input": "signature",
    "Prediction": "signature",
    "Signature": "signature",
    "load_bundle": "load",
    "save_bundle": "save",
    "verify": "manifest",
}

__all__ = [
    "Bundle",
    "BundleInfo",
    "Input",
    "Prediction",
    "Signature",
    "load_bundle",
    "save_bundle",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Load the module of a name on its first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
