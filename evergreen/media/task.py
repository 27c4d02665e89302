"""What `describe_media` does: a source's typed table, its `meta.json`, and the report with pictures."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evergreen import log
from evergreen.errors import DataError, InputError, StorageError
from evergreen.files import aside, write_text
from evergreen.findings import Finding
from evergreen.ingest.ingest import parse_as_of
from evergreen.ingest.locate import locate
from evergreen.ingest.manifest import SourceTable
from evergreen.ingest.source import PART, Clock, ingest_source
from evergreen.media.files import Files
from evergreen.media.findings import media_findings
from evergreen.media.limits import Limits
from evergreen.media.page import Shown, media_page
from evergreen.media.thumbnails import Gallery
from evergreen.near import did_you_mean
from evergreen.project.model import Media, Project
from evergreen.reports.page import Section, note, page
from evergreen.tables import connect, kind, write_meta

_log = log.get(__name__)


@dataclass(frozen=True)
class MediaTable:
    """What was made: rows, the content's digest, and what is wrong with the files."""

    rows: int
    digest: str
    findings: tuple[Finding, ...]


def describe_source(
    project: Project, name: str, folder: Path, report: Path, *, as_of: str = ""
) -> MediaTable:
    """Write a source of images or texts as a table, and its report; also when it cannot be used.

    Args:
        project: The project; local paths are absolute.
        name: The source, with `format: images` or `texts`.
        folder: The folder to make: `data/part-00000.parquet` and `meta.json`, the layout of a training set.
        report: The HTML page to write.
        as_of: Pretend that it is this time; empty: now.

    Raises:
        InputError: when there is no such source, or it holds neither images nor texts.
        DataError: when it is missing, empty, or not one file can be described.
        StorageError: when the object store or the disk refuses.
    """
    _check(project, name)
    moment = parse_as_of(as_of)
    clock = Clock(datetime.now(UTC).replace(tzinfo=None, microsecond=0), moment)
    try:
        with aside(Path(folder)) as out:
            made = ingest_source(_keyed(project, name), name, out, clock)
            (out / name).rename(out / "data")
            write_meta(out, _meta(project, name, made))
    except (DataError, StorageError) as error:
        section = Section("Alerts", [note(str(error), "fail")])
        write_text(report, page("Described media", [section], subtitle=name, status="fail"))
        raise
    source = project.sources[name]
    files = Files.of(locate(name, source, moment, project.storage.endpoint).files, project.storage.endpoint)
    gallery = Gallery(files, Limits.of(source.media or Media())) if source.format == "images" else None
    with connect(project.resources) as con:
        table = Path(folder) / "data" / PART
        findings = tuple(media_findings(con, table))
        shown = Shown(f"{project.name}: {name}", source.format, table, findings, gallery)
        write_text(report, media_page(con, shown))
    _log.info("media described", extra={"source": name, "rows": made.rows, "findings": len(findings)})
    return MediaTable(made.rows, made.digest, findings)


def _check(project: Project, name: str) -> None:
    if name not in project.sources:
        media = [n for n, s in project.sources.items() if s.format in ("images", "texts")]
        remedy = did_you_mean(name, media or project.sources)
        raise InputError("source", f"no source {name!r}", f"one of {', '.join(media) or 'none'}", remedy)
    if project.sources[name].format not in ("images", "texts"):
        found = f"`format: {project.sources[name].format}`"
        raise InputError(f"sources.{name}.format", found, "`images` or `texts`", "Profile a table as it is.")


def _keyed(project: Project, name: str) -> Project:
    """The project, with the path as the source's key: a check of what cannot be otherwise."""
    source = project.sources[name]
    if source.key or (source.columns and "path" not in source.columns):
        return project
    keyed = source.model_copy(update={"key": ["path"]})
    return project.model_copy(update={"sources": {**project.sources, name: keyed}})


def _meta(project: Project, name: str, made: SourceTable) -> dict[str, Any]:
    label = project.label.column if project.label.source == name else "label"
    label = label if label in made.columns else ""
    told = {"path", "sha256", "duplicate_of", "near_duplicate_of", "near_group", "dhash", "phash", "error"}
    features = [
        {"name": c, "group": name, "type": _type(t), "source": name}
        for c, t in made.columns.items()
        if c not in told and c != label
    ]
    return {
        "name": project.name, "purpose": "media", "rows": made.rows, "digest": made.digest, "version": 0,
        "uri": "", "entity": [], "time": project.sources[name].time, "label": label or None,
        "key": ["path"] if "path" in made.columns else [], "features": features, "excluded": {},
    }  # fmt: skip


def _type(duckdb_type: str) -> str:
    return "number" if kind(duckdb_type) in ("integer", "number") else "category"
