"""Which features will be missing at serving: died out, no longer delivered, or not in what is scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from evergreen import log
from evergreen.errors import DataError
from evergreen.history.joins.plan import GroupPlan, plan_groups
from evergreen.history.joins.roles import plan_roles
from evergreen.ingest.manifest import read_manifest
from evergreen.ingest.overlay import layered
from evergreen.project.model import Project, format_duration
from evergreen.reports.text import percent
from evergreen.tables import columns, connect, count, identifier, read_meta, scan

_log = log.get(__name__)
_NEWEST = 0.1
_DEAD, _ALIVE = 0.99, 0.5
_BATCH = 100
_LABELLED_ONLY = 0.02
_LEAST_ROWS = 50
_LEAST_NEWEST = 20


@dataclass(frozen=True)
class Lack:
    """One feature that will be missing.

    Attributes:
        feature: Its name.
        rule: What was seen.
        sure: Whether the feature cannot be there, rather than may not.
        reason: One sentence.
        observed: What was measured.
        threshold: The bound.
        leak: Whether it is there because the label is: then it is a leak.
    """

    feature: str
    rule: str
    sure: bool
    reason: str
    observed: float | None = None
    threshold: float | None = None
    leak: bool = False


def find_lacks(
    project: Project, splits: Path, tables: Path | None, repaired: Path | None = None
) -> list[Lack]:
    """Look at the newest rows of train and validation and, where there are `tables`, at the sources.

    Args:
        project: The project.
        splits: The folder of `split_training_set`; the test part is not read.
        tables: The folder that `ingest` wrote; None or an empty folder when only the splits are known.
        repaired: The overlay of `repair_data`.
    """
    meta = read_meta(splits)
    with connect(project.resources) as con:
        found = _died(con, splits, meta)
        if tables is not None and (Path(tables) / "manifest.json").exists():
            with layered(tables, repaired) as folder:
                found += _from_sources(con, project, folder, splits, meta)
    return found


def _died(con: duckdb.DuckDBPyConnection, splits: Path, meta: Mapping[str, Any]) -> list[Lack]:
    """Features that the newest tenth of the rows before the test do not have any more."""
    time = meta.get("time")
    if not time:
        return []
    column = identifier(time)
    names = [f["name"] for f in meta["features"]]
    wanted = ", ".join(identifier(n) for n in [*names, time])
    both = " UNION ALL ".join(
        f"SELECT {wanted} FROM {scan(splits / f'{p}.parquet')}" for p in ("train", "validation")
    )
    (cut,) = con.execute(f"SELECT quantile_disc({column}, {1 - _NEWEST}) FROM ({both})").fetchall()[0]
    new = f"{column} > ?"
    (rows, newest) = con.execute(f"SELECT count(*), count(*) FILTER ({new}) FROM ({both})", [cut]).fetchall()[
        0
    ]
    if newest < _LEAST_NEWEST:
        new = f"{column} >= ?"
        (newest,) = con.execute(f"SELECT count(*) FILTER ({new}) FROM ({both})", [cut]).fetchall()[0]
    if newest < _LEAST_NEWEST or rows - newest < _LEAST_ROWS:
        return []
    found: list[Lack] = []
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        counted = ", ".join(f"count({v}), count({v}) FILTER ({new})" for v in map(_present, batch))
        row = con.execute(f"SELECT {counted} FROM ({both})", [cut] * len(batch)).fetchall()[0]
        for k, name in enumerate(batch):
            every, late = row[2 * k : 2 * k + 2]
            before = 1 - (every - late) / (rows - newest)
            now = 1 - late / newest
            if now >= _DEAD and before <= _ALIVE:
                words = (
                    f"{name!r} is missing in {percent(now)} of the newest {newest} rows, and was in "
                    f"{percent(before)} of those before"
                )
                found.append(Lack(name, "died out", True, words, now, _DEAD))
    return found


def _present(name: str) -> str:
    return f"nullif({identifier(name)}::VARCHAR, '')"


def _from_sources(
    con: duckdb.DuckDBPyConnection, project: Project, tables: Path, splits: Path, meta: Mapping[str, Any]
) -> list[Lack]:
    sources = read_manifest(tables).sources
    needed = {project.label.source, *(g.source for g in project.features)}
    if not needed <= set(sources):
        return []
    catalog = {name: columns(con, tables / name) for name in sources if (tables / name).is_dir()}
    try:
        plans = plan_groups(project, catalog, plan_roles(project, catalog, "train"))
    except DataError as error:
        # Sources as ingested may not fit the plan where a repair has made those that do.
        _log.warning("sources not looked at", extra={"reason": str(error)})
        return []
    used = {f["name"] for f in meta["features"]}
    found = _not_scored(project, plans, catalog)
    found += _with_label_only(con, project, tables, plans)
    found += _stopped(con, splits, meta, tables, plans)
    return [lack for lack in found if lack.feature in used]


def _not_scored(
    project: Project, plans: list[GroupPlan], catalog: Mapping[str, Mapping[str, str]]
) -> list[Lack]:
    """Columns of the label's own row that the source to score does not have."""
    source = project.predict.source
    if source is None or source == project.label.source or source not in catalog:
        return []
    return [
        Lack(
            f.name,
            "not in what is scored",
            True,
            f"{f.name!r} needs the column {f.column!r}, which `predict.source` {source!r} does not have",
        )
        for plan in plans
        if plan.own
        for f in plan.columns
        if f.column not in catalog[source]
    ]


def _with_label_only(
    con: duckdb.DuckDBPyConnection, project: Project, tables: Path, plans: list[GroupPlan]
) -> list[Lack]:
    """Columns of the label's source that are filled where the label is, and empty where it is not yet."""
    names = [f for plan in plans if plan.own for f in plan.columns]
    relation, label = scan(tables / project.label.source), identifier(project.label.column)
    found: list[Lack] = []
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        parts = [
            f"count({v}) FILTER ({label} IS NOT NULL), count({v}) FILTER ({label} IS NULL)"
            for v in (_present(f.column) for f in batch)
        ]
        row = con.execute(
            f"SELECT count({label}), count(*) - count({label}), {', '.join(parts)} FROM {relation}"
        ).fetchall()[0]
        labelled, others = row[:2]
        if others < _LEAST_ROWS or labelled < _LEAST_ROWS:
            return []
        for k, feature in enumerate(batch):
            with_label, without = row[2 + 2 * k] / labelled, row[3 + 2 * k] / others
            if with_label >= 0.5 and without <= _LABELLED_ONLY:
                words = (
                    f"{feature.name!r} has a value in {percent(with_label)} of the rows with a label and in "
                    f"{percent(without)} of the {others} rows without one: it comes with the label"
                )
                found.append(
                    Lack(feature.name, "comes with the label", True, words, without, _LABELLED_ONLY, True)
                )
    return found


def _stopped(
    con: duckdb.DuckDBPyConnection,
    splits: Path,
    meta: Mapping[str, Any],
    tables: Path,
    plans: list[GroupPlan],
) -> list[Lack]:
    """Features of a source whose newest row is far older than the newest rows of the training set."""
    time = meta.get("time")
    if not time:
        return []
    column = identifier(time)
    both = " UNION ALL ".join(
        f"SELECT {column} FROM {scan(splits / f'{p}.parquet')}" for p in ("train", "validation")
    )
    found: list[Lack] = []
    for plan in plans:
        if plan.own or plan.time is None or count(con, tables / plan.group.source) == 0:
            continue
        source, at = scan(tables / plan.group.source), f"TRY_CAST({identifier(plan.time)} AS TIMESTAMP)"
        (newest, usual) = con.execute(
            "SELECT max(d), quantile_cont(gap, 0.99) FROM "
            "(SELECT d, epoch(d - lag(d) OVER (ORDER BY d)) AS gap "
            f"FROM (SELECT DISTINCT date_trunc('hour', {at}) AS d FROM {source} WHERE {at} IS NOT NULL))"
        ).fetchall()[0]
        if newest is None:
            continue
        reach = max(usual or 0.0, 3600.0) * 3 + plan.delay.total_seconds()
        (rows, late) = con.execute(
            f"SELECT count(*), count(*) FILTER (epoch({column}::TIMESTAMP - ?::TIMESTAMP) > ?) FROM ({both})",
            [newest, reach],
        ).fetchall()[0]
        if late < max(_LEAST_ROWS, 0.05 * rows):
            continue
        delay = f" (known {format_duration(plan.delay)} later)" if plan.delay else ""
        for feature in plan.features:
            words = (
                f"{feature.name!r} comes from {plan.group.source!r}, whose newest row is of {newest}{delay}: "
                f"{late} rows of the training set ({percent(late / rows)}) are well past it"
            )
            found.append(Lack(feature.name, "source stopped", False, words, late / rows, 0.05))
    return found
