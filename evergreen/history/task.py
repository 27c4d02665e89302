"""What `build_training_set` does around the build: the snapshot, and a report with the label over time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import duckdb

from evergreen.errors import DataError
from evergreen.files import write_text
from evergreen.history.build import TrainingSet, build_training_set
from evergreen.history.versions.snapshots import Upload, snapshot, snapshot_uri
from evergreen.ingest.overlay import layered
from evergreen.labels.ledger import project_decisions
from evergreen.project.model import Project
from evergreen.reports.charts import bars, histogram
from evergreen.reports.page import Section, code, figure, note, page, table, tiles
from evergreen.storage import default_store
from evergreen.tables.connection import connect
from evergreen.tables.kinds import kind
from evergreen.tables.meta import write_meta
from evergreen.tables.parquet import columns, scan
from evergreen.tables.sql import identifier, literal

_MOST_PERIODS = 36
_PERIODS = {"day": "%Y-%m-%d", "week": "%Y-%m-%d", "month": "%Y-%m", "quarter": "%Y-%m", "year": "%Y"}


@dataclass(frozen=True)
class Result:
    """What the component hands on; version 0 and no URI when no snapshot was made."""

    rows: int
    digest: str
    version: int
    uri: str


def build_with_report(
    project: Project,
    tables: Path,
    folder: Path,
    report: Path,
    *,
    store: str = "",
    purpose: Literal["train", "predict"] = "train",
    repaired: Path | None = None,
) -> Result:
    """Build a training set, keep it as a snapshot (not when rows are to be scored), write the report.

    Args:
        project: The project.
        tables: The folder that `ingest` wrote.
        folder: The folder to make.
        report: The HTML page to write.
        store: Where snapshots are kept; empty: `evergreen.storage.default_store`.
        purpose: `train`, or `predict` for rows to score.
        repaired: The overlay of `repair_data`: a source is read from it where it is there.

    Raises:
        DataError: see `build_training_set`, `evergreen.ingest.overlay` and `project_decisions`.
        StorageError: when the store or the disk refuses.
    """
    if purpose not in ("train", "predict"):
        raise DataError("purpose", f"{purpose!r}", "train or predict")
    try:
        decisions = project_decisions(project, store) if purpose == "train" else []
        with layered(tables, repaired, beside=Path(folder).parent) as layers:
            built = build_training_set(project, layers, folder, purpose=purpose, decisions=decisions)
    except DataError as error:
        section = Section("Alerts", [note(str(error), "fail")])
        write_text(report, page(_title(purpose), [section], subtitle=project.name, status="fail"))
        raise
    result = Result(built.rows, built.digest, 0, "")
    if purpose == "train":
        uri = snapshot_uri(default_store(project, store), project.name)
        kept = snapshot(folder, uri, built.digest, project.storage.endpoint, upload=_upload(project))
        result = replace(result, version=kept.version, uri=kept.uri)
        write_meta(folder, {**built.meta, "version": kept.version, "uri": kept.uri})
    write_text(report, training_set_page(project, folder, built, result))
    return result


def _upload(project: Project) -> Upload | None:
    """What puts a snapshot's files into their place: the project's engine; None for this process."""
    if project.engine == "duckdb":
        return None
    from evergreen.spark import upload_with_spark

    return partial(upload_with_spark, project)


def _title(purpose: str) -> str:
    return "Training set" if purpose == "train" else "Rows to score"


def training_set_page(project: Project, folder: Path, built: TrainingSet, result: Result) -> str:
    """The report of a training set."""
    meta = built.meta
    excluded = sum(built.excluded.values())
    overview = {
        "Rows": (built.rows, f"{excluded:,} left out" if excluded else "all kept"),
        "Features": len(meta["features"]),
        "As of": meta["as_of"].removesuffix("T00:00:00").replace("T", " "),
        "Digest": code(built.digest[:12]),
    }
    if result.uri:
        overview["Snapshot"] = (f"version {result.version}", result.uri)
    reasons = [(reason, rows, f"{rows / (rows + built.rows):.1%}") for reason, rows in built.excluded.items()]
    left_out = [table(["Reason", "Rows", "Share of all"], reasons, numeric={1})] if reasons else []
    features = [(f["name"], f["group"], f["source"], f["type"]) for f in meta["features"]]
    sections = [
        Section("Overview", [tiles(overview)]),
        Section("Alerts", [note(alert, "warn") for alert in built.alerts]),
        Section("Label", _label_blocks(project, folder, built)),
        Section("Rows left out", left_out),
        Section("Features", [table(["Feature", "Group", "Source", "Type"], features)]),
    ]
    return page(
        _title(meta["purpose"]), sections, subtitle=project.name, status="warn" if built.alerts else "pass"
    )


def _label_blocks(project: Project, folder: Path, built: TrainingSet) -> list[str]:
    meta = built.meta
    if meta["label"] is None:
        return []
    blocks: list[str] = []
    counts = built.label_counts
    if counts and len(counts) <= 20:
        chart = bars(list(counts), [float(n) for n in counts.values()], f"Rows by {meta['label']}")
        blocks.append(figure(chart))
    if meta["time"]:
        with connect(project.resources) as con:
            blocks += _over_time(con, project, folder, meta)
    return blocks


def _over_time(
    con: duckdb.DuckDBPyConnection, project: Project, folder: Path, meta: Mapping[str, Any]
) -> list[str]:
    """Rows and label by day, week, month, quarter or year: whichever gives at most 36 bars."""
    relation, time = scan(folder), identifier(meta["time"])
    spans = ", ".join(f"date_diff('{p}', min({time}), max({time}))" for p in _PERIODS)
    row = con.execute(f"SELECT {spans} FROM {relation}").fetchone() or ()
    period = next(
        (p for p, n in zip(_PERIODS, row, strict=True) if n is not None and n < _MOST_PERIODS), "year"
    )
    value, name = _measure(con, project, folder, meta)
    begin = f"strftime(date_trunc('{period}', CAST({time} AS TIMESTAMP)), '{_PERIODS[period]}')"
    query = (
        f"SELECT {begin}, count(*), avg({value}) FROM {relation} GROUP BY 1 ORDER BY 1 LIMIT {_MOST_PERIODS}"
    )
    rows = con.execute(query).fetchall()
    labels = [r[0] for r in rows]
    charts: list[str] = [
        figure(histogram(labels, {"rows": [float(r[1]) for r in rows]}, f"Rows by {period}"))
    ]
    if value != "NULL":
        charts.append(
            figure(histogram(labels, {name: [float(r[2] or 0) for r in rows]}, f"{name} by {period}"))
        )
    return charts


def _measure(
    con: duckdb.DuckDBPyConnection, project: Project, folder: Path, meta: Mapping[str, Any]
) -> tuple[str, str]:
    """SQL for what is averaged over time, and its name: the label, or whether it is the positive value."""
    label = meta["label"]
    column = identifier(label)
    now = kind(columns(con, Path(folder))[label])
    positive = project.label.positive
    if now == "boolean":
        return f"CAST({column} AS INTEGER)", f"Share of {label}"
    if positive is not None:
        text = literal(str(positive))
        return f"CAST(CAST({column} AS VARCHAR) = {text} AS INTEGER)", f"Share of {label} = {positive}"
    return (f"CAST({column} AS DOUBLE)", f"Mean {label}") if now in ("integer", "number") else ("NULL", label)
