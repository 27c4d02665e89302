"""Ingested tables with the repaired ones in their place: a folder of links, and its manifest."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evergreen.errors import DataError
from evergreen.ingest.manifest import MANIFEST, Ingested, read_manifest, write_manifest
from evergreen.tables.names import listed


def overlay_of(repaired: Path | None) -> Ingested | None:
    """The manifest of a folder of repaired tables; None without a folder, or for an empty one."""
    if repaired is None or not (Path(repaired) / MANIFEST).is_file():
        return None
    return read_manifest(repaired)


def combined(tables: Path, repaired: Path | None) -> tuple[Ingested, dict[str, Path]]:
    """The manifest of both folders together, and the folder of each source.

    Args:
        tables: What `ingest_data` wrote.
        repaired: What `repair_data` wrote; None or empty for nothing.

    Raises:
        DataError: when a source waits for a repair that is not there.
    """
    tables = Path(tables).absolute()
    base, over = read_manifest(tables), overlay_of(repaired)
    folders = {name: tables / name for name in base.sources}
    sources = dict(base.sources)
    if over is not None and repaired is not None:
        folders |= {name: Path(repaired).absolute() / name for name in over.sources}
        sources |= over.sources
    waiting = [n for n in (*base.landed, *base.pending) if over is None or n not in over.sources]
    if waiting:
        found = f"{listed(waiting)}: not repaired yet, and the project's `repair` says so"
        raise DataError(
            str(tables), found, "the tables of repair_data beside these", "Run repair_data first."
        )
    return Ingested(sources, base.as_of), folders


@contextmanager
def layered(tables: Path, repaired: Path | None, beside: Path | None = None) -> Iterator[Path]:
    """A folder in the layout of `tables` in which each repaired source stands in place of the ingested one.

    Args:
        tables: What `ingest_data` wrote.
        repaired: What `repair_data` wrote; None or empty for nothing, then it is `tables` itself.
        beside: Where the folder is made; default: TMPDIR.

    Raises:
        DataError: see `combined`.
    """
    manifest, folders = combined(tables, repaired)
    if overlay_of(repaired) is None:
        yield Path(tables)
        return
    if beside is not None:
        beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".evergreen-layers-", dir=beside) as scratch:
        root = Path(scratch)
        for name, folder in folders.items():
            (root / name).symlink_to(folder, target_is_directory=True)
        write_manifest(root, manifest)
        yield root
