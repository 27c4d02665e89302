"""Remove from an installed environment what no component uses at run time: tests, headers, sources.

Usage: python tools/slim.py ENVIRONMENT. Run while building the image, before byte code is written.
"""

import shutil
import sys
from pathlib import Path

FOLDERS = ("tests", "test", "include", "__pycache__", "benchmarks")
SUFFIXES = (".pyx", ".pxd", ".pxi", ".h", ".hpp", ".c", ".cpp", ".pyi", ".so.debug")
KEEP = ("numpy/_core/tests", "sklearn/utils/_test_common")  # imported outside of tests


def slim(site: Path) -> int:
    """Delete below `site`; returns the number of bytes that went."""
    freed = 0
    for path in sorted(site.rglob("*"), key=lambda p: len(p.parts), reverse=True):
        relative = path.relative_to(site).as_posix()
        if any(relative.startswith(k) for k in KEEP) or path.is_symlink():
            continue
        if path.is_dir() and path.name in FOLDERS:
            freed += sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
            shutil.rmtree(path)
        elif path.is_file() and path.name.endswith(SUFFIXES):
            freed += path.stat().st_size
            path.unlink()
    return freed


def main() -> int:
    """Slim every site-packages folder of the environment named on the command line."""
    for site in Path(sys.argv[1]).glob("lib/python*/site-packages"):
        print(f"freed {slim(site) / 2**20:.0f} MiB in {site}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
