"""Bundles with true digests and made-up contents, for tests that never load a model."""

from pathlib import Path

from evergreen.bundle import manifest
from evergreen.decisions import Decision

PASSED = [Decision("model", "roc_auc min", "pass", "roc_auc 0.81 is at least 0.7", 0.7, 0.81, (0.79, 0.83))]
FAILED = [Decision("model", "roc_auc min", "fail", "roc_auc 0.6 is below 0.7", 0.7, 0.6)]


def make_bundle(folder: Path, content: str = "model") -> Path:
    """A bundle that differs from others in `content` alone."""
    folder.mkdir(parents=True)
    files = {
        "model.skops": content,
        "parity.json": '{"onnx": false}',
        "signature.json": "{}",
        "training.json": "{}",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    manifest.write(folder)
    return folder
