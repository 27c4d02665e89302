"""Repair one file without a project: propose or take a policy, show what it does, write the repaired file."""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from evergreen.decisions import Decision
from evergreen.errors import DataError, InputError
from evergreen.files import aside, write_text
from evergreen.findings import Finding, no
from evergreen.ingest.shape import Asked, Raw, plan_columns
from evergreen.project.init.names import source_name
from evergreen.project.model import RepairPolicy, Resources, Source
from evergreen.project.peek import Staging, stage_source
from evergreen.repair.page import ordered, repair_page
from evergreen.repair.policyfile import policy_text
from evergreen.repair.propose import Proposed, propose
from evergreen.repair.results import GATE, ColumnResult
from evergreen.repair.table import (
    TableRepair,
    repair_table,
    rows_query,
    write_audit,
    write_quarantine,
)  # fmt: skip
from evergreen.tables import connect, explained, identifier, kind, literal

FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "json", ".ndjson": "json", ".json": "json",
           ".parquet": "parquet", ".parq": "parquet", ".pq": "parquet"}  # fmt: skip


@dataclass(frozen=True)
class FileRepair:
    """A file's repair, as long as its scratch folder is there.

    Attributes:
        name: The table's name.
        raw: The rows as they came.
        repaired: What was done.
        proposed: What was proposed; empty where a policy was given.
        policies: What was applied.
    """

    name: str
    raw: Raw
    repaired: TableRepair
    proposed: Proposed = field(default_factory=Proposed)
    policies: Mapping[str, RepairPolicy] = field(default_factory=dict)

    @property
    def findings(self) -> list[Finding]:
        """What a person must know: of what was repaired, and of columns whose reading is in doubt."""
        doubtful = [
            no("repair in doubt", column, "warn", f"{self.name}.{column}: {hint}", gate=GATE)
            for column, hints in self.proposed.hints.items()
            for hint in hints
            if "in doubt" in hint
        ]
        return [*self.repaired.findings, *doubtful]

    @property
    def decisions(self) -> list[Decision]:
        """The gate's records, the worst first."""
        return ordered(self.findings)

    @property
    def policy(self) -> str:
        """The policies as the section `repair` of a project file."""
        why = {c: p.why for c, p in self.proposed.proposals.items()}
        return policy_text(self.name, self.policies, why)


@contextmanager
def repaired_file(
    path: str,
    *,
    policies: Mapping[str, RepairPolicy] | None = None,
    options: Mapping[str, Any] | None = None,
    key: Sequence[str] = (),
    resources: Resources | None = None,
) -> Iterator[tuple[duckdb.DuckDBPyConnection, FileRepair]]:
    """Repair a local file into a scratch folder; nothing is written anywhere else.

    Args:
        path: CSV, JSON lines or Parquet; a file, a folder, or a pattern.
        policies: By column; None: those that are proposed.
        options: Of the reader, as in the project file's `options`.
        key: Columns that name a row; empty: its number does.
        resources: Memory and threads.

    Raises:
        DataError: for a file that is missing, empty or corrupt, and for policies that do not fit it.
    """
    if re.match(r"\w+:/", path):
        raise InputError(
            path, "a remote path", "a local file", "Copy it here; a project reads it where it is."
        )
    name = source_name(path, ())
    with tempfile.TemporaryDirectory(prefix="evergreen-repair-") as folder, connect(resources) as con:
        scratch = Path(folder)
        staging = _staged(con, name, path, options or {}, scratch)
        if staging is None:
            raise DataError(path, "the file is empty", "a table with a header and rows")
        raw = staging.raw
        with explained(path, "The file seems to be corrupt: write it again."):
            if not con.execute(f"SELECT count(*) FROM {raw.relation}").fetchall()[0][0]:
                raise DataError(path, "the table has no rows", "at least one row")
            proposed = propose(con, raw.relation, raw.types, name) if policies is None else Proposed()
            chosen = _complete(raw, proposed.policies if policies is None else dict(policies))
            done = repair_table(con, name, raw.relation, raw.types, chosen, scratch / "repair", key=key)
            yield con, FileRepair(name, raw, done, proposed, chosen)


def _staged(
    con: duckdb.DuckDBPyConnection, name: str, path: str, options: Mapping[str, Any], scratch: Path
) -> Staging | None:
    """The file read; a remedy that names the project file's options names this command's."""
    absolute = os.path.abspath(path)  # noqa: PTH100 - symbolic links stay as they are
    try:
        return stage_source(con, name, Source(path=absolute, options=dict(options)), scratch)
    except DataError as error:
        remedy = re.sub(r"`options: \{(\w+): ([^}]*)\}`", r"`--option \1=\2`", error.remedy)
        raise DataError(error.where, error.found, error.expected, remedy) from error


def _complete(raw: Raw, policies: dict[str, RepairPolicy]) -> dict[str, RepairPolicy]:
    """Policies that ingestion would do (a type, spellings of no value) are done here too."""
    sections = {
        "integer": "number",
        "number": "number",
        "timestamp": "time",
        "date": "time",
        "boolean": "boolean",
    }
    done = {}
    for column, policy in policies.items():
        if not policy.repairs and (policy.type or policy.missing):
            now = sections.get(policy.type or "text", "text")
            policy = policy.model_copy(
                update=RepairPolicy.model_validate({now: {}}).model_dump(include={now})
            )
            policy = RepairPolicy.model_validate({**policy.model_dump(exclude_unset=True), now: {}})
            if policy.invalid is None:
                policy = policy.model_copy(update={"invalid": "fail"})
        done[column] = policy
    return done


def write_repaired(con: duckdb.DuckDBPyConnection, repair: FileRepair, out: Path) -> int:
    """Write the rows that stay as CSV, JSON lines or Parquet, by the name's ending; returns their number.

    Columns without a repair stay as they are written; into Parquet those of a CSV file go with the types
    that ingestion finds.

    Raises:
        InputError: for an ending that is none of these.
    """
    form = out_format(out)
    rows = rows_query(repair.repaired)
    if form == "parquet":
        rows = _typed(con, repair, rows)
    else:
        rows = f"SELECT {', '.join(_written(con, repair, rows))} FROM ({rows})"
    how = {
        "csv": "FORMAT csv, HEADER true",
        "json": "FORMAT json",
        "parquet": "FORMAT parquet, COMPRESSION zstd",
    }
    delimiter = ", DELIMITER '\t'" if out.name.lower().endswith(".tsv") else ""
    with aside(out) as temporary, explained(str(out)):
        row = con.execute(f"COPY ({rows}) TO {literal(str(temporary))} ({how[form]}{delimiter})").fetchall()[
            0
        ]
    return int(row[0])


def out_format(out: Path) -> str:
    """The format of a file to write, by its name's ending.

    Raises:
        InputError: for another ending.
    """
    form = FORMATS.get(out.suffix.lower())
    if form is None:
        raise InputError(
            str(out), f"ending {out.suffix!r}", "a name that ends in .csv, .tsv, .jsonl or .parquet"
        )
    return form


def _typed(con: duckdb.DuckDBPyConnection, repair: FileRepair, rows: str) -> str:
    done = {r.column for r in repair.repaired.results}
    left = repair.raw.untyped - done
    if not left:
        return rows
    types = {c: t for c, t in repair.raw.types.items() if c in left}
    raw = Raw(repair.name, f"({rows})", types, frozenset(left))
    plans = {p.name: p for p in plan_columns(con, raw, Asked(Source(path=".")))}
    items = [plans[c].item if c in plans else identifier(c) for c in repair.raw.types]
    return f"SELECT {', '.join(items)} FROM ({rows})"


def _written(con: duckdb.DuckDBPyConnection, repair: FileRepair, rows: str) -> list[str]:
    """Each column as it is written to a text file: times by ISO 8601, with a Z where zones were in play."""
    results = {r.column: r for r in repair.repaired.results}
    items = []
    for column, duckdb_type in repair.raw.types.items():
        name, result = identifier(column), results.get(column)
        now = result.type if result else kind(duckdb_type)
        if now == "timestamp":
            zone = "'Z'" if result and _zoned(result) else "''"
            text = f"strftime({name}, '%Y-%m-%d %H:%M:%S')"
            part = (
                f"CASE WHEN date_part('us', {name}) % 1000000 <> 0 THEN strftime({name}, '.%f') ELSE '' END"
            )
            items.append(f"{text} || {part} || {zone} AS {name}")
        else:
            items.append(name)
    return items


def _zoned(result: ColumnResult) -> bool:
    zone = result.repair.policy.time.zone if result.repair.policy.time else None
    rules = [c.rule for c in result.changes] + [d.rule for d in result.doubts]
    return zone is not None or any("time zone" in rule for rule in rules)


def write_evidence(con: duckdb.DuckDBPyConnection, repair: FileRepair, folder: Path) -> None:
    """Write audit log, quarantine, policy and report into a folder."""
    with aside(folder) as temporary:
        temporary.mkdir()
        write_audit(con, repair.repaired, temporary / "audit")
        write_quarantine(con, repair.repaired, temporary / "quarantine")
        hints = {
            **repair.proposed.hints,
            **{c: p.hints for c, p in repair.proposed.proposals.items() if p.hints},
        }
        html = repair_page(
            [repair.repaired], repair.decisions, subtitle=repair.name, policy=repair.policy, hints=hints
        )
        write_text(temporary / "report.html", html)
        if repair.policy:
            write_text(temporary / "policy.yaml", repair.policy)
