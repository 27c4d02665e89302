"""The model bundle: a folder with one model, what it takes and gives, and digests that prove it unchanged.

The names below load on first use, so that a server that runs the ONNX graph imports neither scikit-learn
nor pandas.
"""

from typing import TYPE_CHECKING

from evergreen.lazy import on_first_use

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

__getattr__ = on_first_use(__name__, _HOMES)
