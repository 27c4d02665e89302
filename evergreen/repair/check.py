"""What `evergreen check` and `init` need of a repair: one table in place of itself, repaired."""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from evergreen.findings import Finding
from evergreen.project.model import ColumnType, RepairPolicy
from evergreen.repair.table import PART, repair_table, rows_query
from evergreen.tables.parquet import columns, scan, write_query


def repair_in_place(
    con: duckdb.DuckDBPyConnection,
    name: str,
    tables: Path,
    policies: Mapping[str, RepairPolicy],
    scratch: Path,
    declared: Mapping[str, ColumnType] | None = None,
) -> tuple[dict[str, str], list[Finding]]:
    """Repair `<tables>/<name>/part-00000.parquet`; returns its columns after that, and what fails.

    Raises:
        DataError: for policies that cannot be.
    """
    relation = scan(tables / name)
    types = columns(con, relation)
    done = repair_table(con, name, relation, types, policies, scratch / "repair" / name, declared=declared)
    write_query(con, rows_query(done), tables / name / PART, where=f"source {name}")
    failed = [f for f in done.findings if f.severity == "fail"]
    return columns(con, scan(tables / name)), failed
