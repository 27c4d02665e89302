"""Labels that people decided on, in a training set: applied behind the joins, counted in its `meta.json`."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import duckdb

from evergreen.errors import DataError
from evergreen.history.joins.roles import Roles
from evergreen.history.joins.spine import Spine, label_counts
from evergreen.labels.apply import Reviewed, apply_decisions
from evergreen.labels.ledger import LabelDecision
from evergreen.project.model import Project

EXCLUDED = "excluded by review"


def apply_reviewed(
    con: duckdb.DuckDBPyConnection,
    project: Project,
    roles: Roles,
    spine: Spine,
    decisions: Sequence[LabelDecision],
    table: Path,
) -> tuple[Spine, Reviewed]:
    """Apply decisions to a finished table; the spine with its counts as they are afterwards.

    Features from the history of labels keep the labels that were known at their time.

    Raises:
        DataError: when one class, or no row, is left.
    """
    if roles.label is None or not decisions:
        return spine, Reviewed()
    done = apply_decisions(con, decisions, table, roles.key, roles.label)
    if not done.changed and not done.excluded:
        return spine, done
    rows = spine.rows - done.excluded
    if not rows:
        raise DataError("decisions about labels", "they leave no row", remedy="Undo some of them.")
    counts = label_counts(con, project, roles, table)
    left_out = {**spine.excluded, EXCLUDED: done.excluded} if done.excluded else spine.excluded
    return replace(spine, rows=rows, excluded=left_out, label_counts=counts), done


def reviewed_meta(done: Reviewed) -> dict[str, Any]:
    """What `meta.json` says about decisions; nothing where there are none."""
    return {"reviewed": asdict(done)} if done.decisions else {}


def review_alerts(done: Reviewed) -> list[str]:
    """What a person should know about decisions that could not be applied."""
    alerts = []
    if done.stale:
        changed = f"{done.stale} reviewed labels changed in the source since"
        alerts.append(f"{changed}; those decisions were left alone")
    if done.unmatched:
        alerts.append(f"{done.unmatched} decisions are about rows that are not in this training set")
    return alerts
