"""Tables that are dirty on purpose, and a repair of them, for the tests of repair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evergreen.findings import Finding
from evergreen.project.model import RepairPolicy, Resources
from evergreen.repair.table import PART, TableRepair, repair_table, rows_query, write_audit, write_quarantine
from evergreen.tables import columns, connect, scan, write_query

RESOURCES = Resources(memory="256MiB", threads=1)


@dataclass(frozen=True)
class Done:
    """A repair, read back."""

    repaired: TableRepair
    rows: pa.Table
    changes: list[dict[str, Any]]
    log: list[dict[str, Any]]
    quarantine: list[dict[str, Any]]

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.repaired.findings

    def column(self, name: str) -> list[Any]:
        return self.rows.column(name).to_pylist()

    def failed(self) -> list[str]:
        return [f.rule for f in self.findings if f.severity == "fail"]


def repaired(
    folder: Path, data: Mapping[str, Sequence[Any]] | pa.Table, key: Sequence[str] = (), **policies: Any
) -> Done:
    """Repair a small table; a policy for each column by its name."""
    table = data if isinstance(data, pa.Table) else pa.table(dict(data))
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "in.parquet"
    pq.write_table(table, source)
    given = {
        name: p if isinstance(p, RepairPolicy) else RepairPolicy.model_validate(p)
        for name, p in policies.items()
    }
    with connect(RESOURCES) as con:
        done = repair_table(con, "t", scan(source), columns(con, source), given, folder / "scratch", key=key)
        (folder / "rows").mkdir()
        write_query(con, rows_query(done), folder / "rows" / PART)
        write_audit(con, done, folder / "audit")
        write_quarantine(con, done, folder / "quarantine")
    return Done(
        done,
        pq.read_table(folder / "rows"),
        pq.read_table(folder / "audit" / "changes.parquet").to_pylist(),
        pq.read_table(folder / "audit" / "rows.parquet").to_pylist(),
        pq.read_table(folder / "quarantine").to_pylist(),
    )
