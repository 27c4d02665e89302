"""Build a training set: the label's rows with every feature as it was known at the label's time."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import duckdb

from evergreen import log
from evergreen.errors import DataError
from evergreen.files import aside
from evergreen.history.joins.assemble import Work, assemble
from evergreen.history.joins.plan import GroupPlan, plan_groups
from evergreen.history.joins.reviewed import apply_reviewed, review_alerts, reviewed_meta
from evergreen.history.joins.roles import Roles, plan_roles, without_features
from evergreen.history.joins.spine import Spine, make_spine
from evergreen.ingest.checks import duplicate_keys
from evergreen.ingest.manifest import Ingested, read_manifest
from evergreen.ingest.needed import label_key
from evergreen.ingest.sqlsource import lock
from evergreen.labels.ledger import LabelDecision
from evergreen.project.model import Project
from evergreen.tables.connection import connect
from evergreen.tables.digest import content_digest
from evergreen.tables.meta import write_meta
from evergreen.tables.names import listed
from evergreen.tables.parquet import columns, parts, scan

_log = log.get(__name__)
PART = "data/part-00000.parquet"


@dataclass(frozen=True)
class TrainingSet:
    """A training set as its `meta.json` describes it; `meta` is all of that file."""

    rows: int
    digest: str
    excluded: Mapping[str, int]
    label_counts: Mapping[str, int] | None
    alerts: tuple[str, ...]
    meta: Mapping[str, Any]


def build_training_set(
    project: Project,
    tables: Path,
    folder: Path,
    *,
    purpose: Literal["train", "predict"] = "train",
    decisions: Sequence[LabelDecision] = (),
) -> TrainingSet:
    """Write `data/part-00000.parquet` and `meta.json`, sorted by key; all of it or nothing.

    What a label row may know (proven by tests/unit/history/test_no_leakage.py):

    - Columns of the label's own source come from its own row.
    - Columns of another source with a time are those of the latest row whose time plus `delay` is not after
      the label's time, and not older than `tolerance`; of rows with one time the last in stored order counts.
    - Aggregates count rows with time in [label time - window, label time) whose time plus `delay` is not
      after the label's time: a row at the very instant of the label is left out, for it may be the outcome.
      A sum, a count and a number of distinct values over no row are 0, everything else is missing. Past
      labels count only once they are mature.
    - A source without a time is joined as a constant.

    Args:
        project: The project.
        tables: The folder that `ingest` wrote.
        folder: The folder to make.
        purpose: `predict` keeps every row of `predict.source` (default: the label's source), needs no label.
        decisions: What people decided about single labels, the oldest first.

    Raises:
        DataError: for columns, keys, labels or joins that cannot be used; see `make_spine`, `plan_groups`.
        StorageError: when the disk is full or read-only.
    """
    tables, folder = Path(tables).absolute(), Path(folder).absolute()
    ingested = read_manifest(tables)
    as_of = datetime.fromisoformat(ingested.as_of) if ingested.as_of else None
    with (
        tempfile.TemporaryDirectory(prefix="evergreen-history-", dir=_scratch_parent(project)) as scratch,
        connect(project.resources) as con,
    ):
        _lock(con, tables, [Path(scratch), folder.parent])
        catalog = _catalog(con, project, ingested, tables, purpose)
        roles = plan_roles(project, catalog, purpose)
        plans = plan_groups(project, catalog, roles)
        roles = without_features(roles, [f.name for plan in plans for f in plan.features])
        spine = make_spine(con, project, roles, tables, Path(scratch) / "spine.parquet", as_of)
        work = Work(con, project, tables, Path(scratch), spine, catalog[roles.source])
        with aside(folder) as out:
            _assemble(work, roles, plans, out)
            spine, reviewed = apply_reviewed(con, project, roles, spine, decisions, out)
            digest = content_digest(con, out)
            alerts = [*_alerts(con, roles, out, bool(label_key(project))), *review_alerts(reviewed)]
            meta = {**_meta(project, roles, plans, spine, purpose, digest), **reviewed_meta(reviewed)}
            write_meta(out, meta)
    _log.info("training set built", extra={"rows": spine.rows, "features": len(meta["features"])})
    return TrainingSet(spine.rows, digest, spine.excluded, spine.label_counts, tuple(alerts), meta)


def _scratch_parent(project: Project) -> Path | None:
    """Where intermediate files go: a cluster's executors must see them; None for TMPDIR."""
    if project.engine == "duckdb":
        return None
    from evergreen.spark import scratch_parent

    return scratch_parent(project)


def _assemble(work: Work, roles: Roles, plans: Sequence[GroupPlan], out: Path) -> None:
    """Join with the project's engine; the Spark image alone has Spark."""
    if work.project.engine == "duckdb":
        assemble(work, roles, plans, out / PART)
        return
    from evergreen.spark import assemble_with_spark

    assemble_with_spark(work, roles, plans, (out / PART).parent)


def _lock(con: duckdb.DuckDBPyConnection, tables: Path, writable: Sequence[Path]) -> None:
    """Conditions of the project file run on this connection: they must not reach other files."""
    readable = [part for source in sorted(tables.iterdir()) if source.is_dir() for part in parts(source)]
    lock(con, readable, list(writable))


def _catalog(
    con: duckdb.DuckDBPyConnection, project: Project, ingested: Ingested, tables: Path, purpose: str
) -> dict[str, dict[str, str]]:
    """The columns and types of every source; all that this purpose needs must be there."""
    needed = [project.label.source, *(g.source for g in project.features)]
    if purpose == "predict" and project.predict.source:
        needed.append(project.predict.source)
    for name in needed:
        if name not in ingested.sources:
            remedy = f"Ingest it too: {name!r} is missing from `sources`."
            raise DataError(str(tables), f"it holds no source {name!r}", listed(ingested.sources), remedy)
    return {name: columns(con, tables / name) for name in ingested.sources}


def _alerts(con: duckdb.DuckDBPyConnection, roles: Roles, out: Path, declared: bool) -> list[str]:
    """What a person should know about the finished table."""
    if declared or not roles.entity or roles.time is None:
        return []
    names = [*roles.entity, roles.time]
    rows, samples = duplicate_keys(con, scan(out), names)
    if not rows:
        return []
    shown = f"such as {'; '.join(samples[:3])}"
    return [
        f"{rows} rows share {', '.join(names)} with another, {shown}; declare `label.key` to tell them apart"
    ]


def _meta(
    project: Project, roles: Roles, plans: Sequence[GroupPlan], spine: Spine, purpose: str, digest: str
) -> dict[str, Any]:
    features = [
        {"name": f.name, "group": f.group, "type": f.type, "source": f.source}
        for p in plans
        for f in p.features
    ]
    return {
        "name": project.name,
        "purpose": purpose,
        "rows": spine.rows,
        "digest": digest,
        "version": 0,
        "uri": "",
        "entity": list(roles.entity),
        "time": roles.time,
        "label": roles.label,
        "key": list(roles.key),
        "extra": list(roles.extra),
        "features": features,
        "excluded": dict(spine.excluded),
        "label_counts": dict(spine.label_counts) if spine.label_counts is not None else None,
        "as_of": spine.observed_until.isoformat(),
        "engine": project.engine,
    }
