"""A folder of images or texts described without a project, as `evergreen media` does."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from evergreen.errors import DataError, InputError
from evergreen.files import write_text
from evergreen.findings import Finding
from evergreen.ingest.locate import Found
from evergreen.media.describe import Described, Kind, Progress, describe_files
from evergreen.media.files import Files
from evergreen.media.findings import media_findings
from evergreen.media.limits import Limits
from evergreen.media.page import Shown, media_page
from evergreen.media.textcolumn import describe_column
from evergreen.media.thumbnails import Gallery
from evergreen.near import did_you_mean
from evergreen.project.model import Media
from evergreen.storage.interface import local_files
from evergreen.tables import connect


@dataclass(frozen=True)
class Made:
    """What was described: files, those that could not be, what kind they are, what is wrong with them."""

    rows: int
    failed: int
    kind: Kind
    findings: tuple[Finding, ...]


def describe_folder(
    folder: Path, out: Path, kind: str, media: Media, *, report: Path | None = None,
    progress: Progress | None = None, text_column: str | None = None,
) -> Made:  # fmt: skip
    """Describe the files below a folder, hidden ones left out.

    Args:
        folder: The folder; with `text_column` a table: CSV, JSON lines or Parquet.
        out: The Parquet file to write.
        kind: `images`, `texts`, or `auto`: what most of the names end in.
        media: How to read and compare the files.
        report: The HTML page to write.
        progress: Called now and then with the files done and to do.
        text_column: The column of the table that holds the texts.

    Raises:
        DataError: when there is no such folder, no file in it, or not one can be described.
    """
    if text_column is not None:
        made: Described = describe_column(folder, text_column, media, out)
        return _reported(folder, out, "texts", made, report, None)
    files = Files.of(_found(folder))
    known = _kind(files) if kind == "auto" else ("images" if kind == "images" else "texts")
    made = describe_files(files, known, media, out, progress=progress)
    gallery = Gallery(files, Limits.of(media)) if known == "images" else None
    return _reported(folder, out, known, made, report, gallery)


def _reported(
    folder: Path, out: Path, kind: Kind, made: Described, report: Path | None, gallery: Gallery | None
) -> Made:
    with connect() as con:
        findings = tuple(media_findings(con, Path(out)))
        if report is not None:
            shown = Shown(folder.name, kind, Path(out), findings, gallery)
            write_text(report, media_page(con, shown))
    return Made(made.rows, made.failed, kind, findings)


def _found(folder: Path) -> list[Found]:
    path = Path(folder).absolute()
    if path.is_file():
        remedy = "Name its folder; for texts in a column of a table, add `--text-column COLUMN`."
        raise InputError(str(folder), "a file", "a folder of images or texts", remedy)
    if not path.is_dir():
        beside = sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else []
        raise DataError(str(folder), "no such folder", remedy=did_you_mean(path.name, beside))
    found = [Found(str(path / name), (path / name).stat().st_size) for name in local_files(path)]
    if not found:
        raise DataError(str(folder), "no file in it", "images or texts")
    return found


def _kind(files: Files) -> Kind:
    """Images when most of the names end like one."""
    from PIL import Image

    endings = Counter(Path(name).suffix.lower() for name in files.names)
    known = Image.registered_extensions()
    pictures = sum(count for ending, count in endings.items() if ending in known)
    return "images" if pictures * 2 > len(files.names) else "texts"
