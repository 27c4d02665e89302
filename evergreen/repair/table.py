"""Repair one table: settle its columns, repair its rows, sum up; write rows, audit log and quarantine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evergreen.findings import Finding
from evergreen.project.model import ColumnType, RepairPolicy
from evergreen.repair.apply import Applied, apply
from evergreen.repair.column import settle
from evergreen.repair.results import ColumnResult, all_findings, column_result
from evergreen.tables.names import missing_column
from evergreen.tables.parquet import file_scan, write_query
from evergreen.tables.sql import identifier, literal

PART = "part-00000.parquet"
_KEYS = 10


@dataclass(frozen=True)
class TableRepair:
    """What a repair did to one table.

    Attributes:
        name: The table's.
        columns: Its columns with their DuckDB types before.
        results: By repaired column.
        findings: What a person must know.
        applied: Where the rows are, until the scratch folder goes.
        key: Columns that name a row.
    """

    name: str
    columns: Mapping[str, str]
    results: tuple[ColumnResult, ...]
    findings: tuple[Finding, ...]
    applied: Applied
    key: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows that stay."""
        return self.applied.rows - self.applied.set_aside - self.applied.dropped

    @property
    def changed(self) -> int:
        """Values that changed."""
        return sum(r.changed for r in self.results)


def repair_table(
    con: duckdb.DuckDBPyConnection,
    name: str,
    relation: str,
    types: Mapping[str, str],
    policies: Mapping[str, RepairPolicy],
    scratch: Path,
    *,
    key: Sequence[str] = (),
    declared: Mapping[str, ColumnType] | None = None,
) -> TableRepair:
    """Repair the columns that have a policy with a repair.

    Args:
        con: An open connection.
        name: The table's name.
        relation: SQL that can stand after FROM, with a fixed order of rows.
        types: Its columns with their DuckDB types.
        policies: By column; those without a repair are left out.
        scratch: An empty folder, for as long as the result is used.
        key: Columns that name a row in log and quarantine.
        declared: Types that the source gives.

    Raises:
        DataError: for a column that is not there, and for a policy that cannot be.
    """
    wanted = {c: p for c, p in policies.items() if p.repairs}
    for column in wanted:
        if column not in types:
            raise missing_column(f"table {name}", column, types, f"repair.{name}")
    repairs = [
        settle(con, relation, c, types[c], p, (declared or {}).get(c), f"repair.{name}.{c}")
        for c, p in wanted.items()
    ]
    known = [k for k in key if k in types]
    scratch.mkdir(parents=True, exist_ok=True)
    applied = apply(con, relation, types, repairs, scratch, known)
    places = list(types)
    results = tuple(
        column_result(con, name, applied, r, i, places.index(r.name)) for i, r in enumerate(repairs)
    )
    return TableRepair(name, dict(types), results, tuple(all_findings(results)), applied, tuple(known))


def rows_query(repaired: TableRepair) -> str:
    """The SQL of the rows that stay, in order, columns by their names."""
    items = ", ".join(f"c{i} AS {identifier(c)}" for i, c in enumerate(repaired.columns))
    return f"SELECT {items} FROM {file_scan([repaired.applied.values])} WHERE kept"


def write_audit(con: duckdb.DuckDBPyConnection, repaired: TableRepair, folder: Path) -> None:
    """Write `changes.parquet` (column, rule, from, to, rows, keys) and `rows.parquet` (row, key, column, …).

    Only rows that stay are in it; those set aside are in the quarantine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = file_scan([repaired.applied.log])
    names = literal([r.column for r in repaired.results])
    named = f'{names}[CAST("column" AS BIGINT) + 1]' if repaired.results else "''"
    rule = "CASE WHEN reason IS NULL THEN rule ELSE 'cannot be read: ' || reason END"
    items = f'row, key, {named} AS "column", {rule} AS rule, "from", "to"'
    rows = f"SELECT {items} FROM {log} WHERE kept"
    write_query(con, f'{rows} ORDER BY row, "column"', folder / "rows.parquet")
    keys = f"min_by(coalesce(nullif(key, ''), 'row ' || row), row, {_KEYS})"
    changes = (
        f'SELECT "column", rule, "from", "to", count(*) AS "rows", {keys} AS keys FROM ({rows}) GROUP BY ALL'
    )
    query = f'SELECT * FROM ({changes}) ORDER BY "column", "rows" DESC, rule, "from", "to"'
    write_query(con, query, folder / "changes.parquet")


def write_quarantine(con: duckdb.DuckDBPyConnection, repaired: TableRepair, folder: Path) -> int:
    """Write `part-00000.parquet`: the rows that were set aside, as they were written, with the reasons.

    The three columns in front are called `evergreen_row`, `evergreen_key` and `evergreen_reasons`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    items = ", ".join(f"c{i} AS {identifier(c)}" for i, c in enumerate(repaired.columns))
    head = "row AS evergreen_row, key AS evergreen_key, reasons AS evergreen_reasons"
    query = f"SELECT {head}, {items} FROM {file_scan([repaired.applied.aside])}"
    return write_query(con, query, folder / PART)
