"""Apply what people decided about labels to a training set: corrected labels, rows left out."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from evergreen.errors import DataError
from evergreen.labels.ledger import LabelDecision, effective
from evergreen.labels.rows import ROW, row_digest
from evergreen.tables.parquet import columns, file_scan, parts, scan, write_query
from evergreen.tables.sql import identifier, identifiers, literal

_DECISIONS = "evergreen_decisions"


@dataclass(frozen=True)
class Reviewed:
    """What decisions did to a table.

    Attributes:
        decisions: Rows that a decision holds for.
        digest: SHA-256 of those decisions.
        changed: Labels corrected.
        excluded: Rows left out.
        stale: Rows whose label is neither the one that the person saw nor the one it was changed to: left
            alone.
        unmatched: Decisions about rows that are not there.
    """

    decisions: int = 0
    digest: str = ""
    changed: int = 0
    excluded: int = 0
    stale: int = 0
    unmatched: int = 0


def apply_decisions(
    con: duckdb.DuckDBPyConnection,
    decisions: Sequence[LabelDecision],
    table: Path,
    key: Sequence[str],
    label: str,
) -> Reviewed:
    """Rewrite a table's Parquet files with the labels that people decided on, streamed, in the same order.

    A correction holds only where the label is still the one that the person saw.

    Args:
        con: An open connection that may write there.
        decisions: All that were made, the oldest first.
        table: A Parquet file or folder.
        key: The columns that name a row; none: a digest of the whole row does.
        label: The label's column.

    Raises:
        DataError: for a corrected label that the column's type cannot hold.
    """
    holding = {n: d for n, d in sorted(effective(decisions).items()) if d.action != "keep"}
    if not holding:
        return Reviewed()
    types = columns(con, scan(table))
    names = tuple(key) or (ROW,)
    fitting = [d for d in holding.values() if set(d.key) == set(names)]
    _check_type(con, fitting, label, types)
    digest = hashlib.sha256("".join(d.line() for d in holding.values()).encode()).hexdigest()
    keyed = [f"evergreen_k{i}" for i in range(len(names))]
    found = pd.DataFrame(
        [(*(d.key[n] for n in names), d.action, d.given, d.to) for d in fitting],
        columns=[*keyed, "evergreen_action", "evergreen_given", "evergreen_new"],
        dtype="str",
    )
    con.register(_DECISIONS, found)
    try:
        counts = _counts(con, table, names, label, types)
        if counts["changed"] or counts["excluded"]:
            for file in parts(table):
                write_query(con, _rewritten(file, names, label, types), file)
    finally:
        con.unregister(_DECISIONS)
    unmatched = len(holding) - counts.pop("matched")
    return Reviewed(len(holding), digest, unmatched=unmatched, **counts)


def _check_type(
    con: duckdb.DuckDBPyConnection, decisions: Sequence[LabelDecision], label: str, types: Mapping[str, str]
) -> None:
    for new in sorted({d.to for d in decisions if d.action == "change" and d.to is not None}):
        fits = con.execute(f"SELECT TRY_CAST({literal(new)} AS {types[label]}) IS NOT NULL").fetchall()[0][0]
        if not fits:
            remedy = "Decide anew about these rows: evergreen labels review."
            where = f"decisions about labels, label {label!r}"
            raise DataError(where, f"{new!r} is no {types[label]}", "a label like the others", remedy)


def _joined(relation: str, names: Sequence[str], types: Mapping[str, str]) -> str:
    sql = [row_digest(list(types)) if n == ROW else f"t.{identifier(n)}::VARCHAR" for n in names]
    on = " AND ".join(f"{value} IS NOT DISTINCT FROM d.evergreen_k{i}" for i, value in enumerate(sql))
    return f"{relation} AS t LEFT JOIN {_DECISIONS} AS d ON {on}"


def _counts(
    con: duckdb.DuckDBPyConnection, table: Path, names: Sequence[str], label: str, types: Mapping[str, str]
) -> dict[str, int]:
    now = f"t.{identifier(label)}::VARCHAR"
    keys = ", ".join(f"d.evergreen_k{i}" for i in range(len(names)))
    seen, done = f"{now} = d.evergreen_given", f"{now} = d.evergreen_new"
    change = "d.evergreen_action = 'change'"
    row = con.execute(
        f"""SELECT count_if({change} AND {seen} AND NOT {done}),
            count_if(d.evergreen_action = 'exclude'),
            count_if({change} AND NOT {seen} AND NOT {done}),
            count(DISTINCT ({keys})) FILTER (WHERE d.evergreen_action IS NOT NULL)
        FROM {_joined(scan(table), names, types)}"""
    ).fetchall()[0]
    return dict(zip(("changed", "excluded", "stale", "matched"), map(int, row), strict=True))


def _rewritten(file: Path, names: Sequence[str], label: str, types: Mapping[str, str]) -> str:
    column = identifier(label)
    relation = file_scan([file])[:-1] + ", file_row_number = true)"
    corrected = (
        f"CASE WHEN d.evergreen_action = 'change' AND t.{column}::VARCHAR = d.evergreen_given "
        f"THEN CAST(d.evergreen_new AS {types[label]}) ELSE t.{column} END AS {column}"
    )
    picked = [corrected if n == label else f"t.{identifier(n)}" for n in types]
    return (
        f"SELECT {identifiers(types)} FROM (SELECT {', '.join(picked)}, t.file_row_number AS evergreen_place "
        f"FROM {_joined(relation, names, types)} WHERE d.evergreen_action IS DISTINCT FROM 'exclude') "
        "ORDER BY evergreen_place"
    )
