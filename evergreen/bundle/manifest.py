"""`manifest.json`: the digest of every file of a bundle, and the check that nothing was changed since.

The manifest's own bytes are a function of the other files, so a changed byte in it is found too.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evergreen.errors import BundleError
from evergreen.files import sha256, write_text

NAME = "manifest.json"
REQUIRED = ("model.skops", "parity.json", "signature.json", "training.json")
_REMEDY = "Fetch the bundle from the registry again, or train anew."


def digest_of(files: Mapping[str, str]) -> str:
    """The digest of a bundle: SHA-256 over the lines `<sha256>  <name>`, sorted by name."""
    lines = "".join(f"{files[name]}  {name}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def render(files: Mapping[str, str], parity: Mapping[str, Any]) -> str:
    """The text of `manifest.json` for these files and this parity record."""
    content = {
        "version": 1,
        "digest": digest_of(files),
        "engine": "onnx" if "model.onnx" in files else "native",
        "files": {name: files[name] for name in sorted(files)},
        "parity": dict(parity),
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write(folder: Path) -> dict[str, Any]:
    """Write the manifest of the files in `folder`, and return it."""
    files = {p.name: sha256(p) for p in sorted(folder.iterdir()) if p.name != NAME}
    text = render(files, json.loads((folder / "parity.json").read_text(encoding="utf-8")))
    write_text(folder / NAME, text)
    manifest: dict[str, Any] = json.loads(text)
    return manifest


def verify(folder: Path) -> dict[str, Any]:
    """Check every file of a bundle against its manifest, and return the manifest.

    Raises:
        BundleError: naming the file that is missing, is not listed, or has a changed byte.
    """
    folder = Path(folder)
    path = folder / NAME
    if not path.is_file():
        found = "it holds no manifest.json" if folder.is_dir() else "no such folder"
        raise BundleError(str(folder), f"not a model bundle: {found}", remedy="Name a bundle's folder.")
    text = path.read_bytes()
    manifest = _parse(path, text)
    files: dict[str, str] = manifest["files"]
    _check_names(folder, files)
    for name in sorted(files):
        if sha256(folder / name) != files[name]:
            raise BundleError(
                str(folder / name), "its bytes do not match the manifest's digest", remedy=_REMEDY
            )
    parity = json.loads((folder / "parity.json").read_text(encoding="utf-8"))
    if render(files, parity).encode() != text:
        raise BundleError(str(path), "it is not the manifest of these files", remedy=_REMEDY)
    return manifest


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(text)
        files = manifest["files"]
        if all(isinstance(k, str) and isinstance(v, str) for k, v in files.items()):
            return manifest
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise BundleError(str(path), "it is not a manifest", remedy=_REMEDY)


def _check_names(folder: Path, files: Mapping[str, str]) -> None:
    there = {p.name for p in folder.iterdir() if p.name != NAME}
    for name in sorted(set(files) | set(REQUIRED)):
        if "/" in name or name not in there or not (folder / name).is_file():
            raise BundleError(str(folder / name), "the file is missing", remedy=_REMEDY)
    for name in sorted(there - set(files)):
        raise BundleError(str(folder / name), "the manifest does not list this file", remedy=_REMEDY)
    for name in sorted(set(REQUIRED) - set(files)):
        raise BundleError(str(folder / name), "the manifest does not list this file", remedy=_REMEDY)
