"""Golden files: the compiled YAML of every component and pipeline, with versions normalised.

`python -m tools.golden` (through `make golden`) rewrites tests/golden; the test only compares.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

from pipelines.__main__ import compile_all
from pipelines._catalog import ROOT

GOLDEN = ROOT / "tests" / "golden"


def normalised(text: str) -> str:
    """The YAML without the versions of SDK and image, so that an upgrade shows only what it changes."""
    text = re.sub(r"kfp-\d+\.\d+\.\d+\S*", "kfp-VERSION", text)
    return re.sub(r"(evergreen-python):[\w.\-]+", r"\1:VERSION", text)


def compiled() -> dict[str, str]:
    """Relative path → normalised YAML of everything that compiles."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        return {str(p.relative_to(root)): normalised(p.read_text()) for p in compile_all(root)}


def main() -> int:
    """Rewrite the golden files."""
    shutil.rmtree(GOLDEN, ignore_errors=True)
    for name, text in compiled().items():
        path = GOLDEN / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
