"""How a table's columns are read for counting: one SQL expression each, and aggregates over many at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from evergreen.profile.model import FAMILIES, Family
from evergreen.tables import columns, identifier, kind

# Columns that one query reads. A Parquet file keeps columns apart, so small queries together read no more
# than a large one, and their vectors stay in the processor's cache: 24 columns at once cost twice as much.
BATCH = 2
# With groups every query also reads what the group is made of.
GROUPED = 6


@dataclass(frozen=True)
class Reader:
    """One column of a table.

    Attributes:
        name: As in the table.
        type: One of `evergreen.tables.kinds`.
        stored: The DuckDB type.
    """

    name: str
    type: str
    stored: str

    @property
    def family(self) -> Family:
        """Which statistics the column gets."""
        return FAMILIES.get(self.type, "other")

    @property
    def is_list(self) -> bool:
        """Whether it holds lists, whose elements are counted too."""
        return self.type == "nested" and self.stored.endswith("[]")

    @property
    def floats(self) -> bool:
        """Whether NaN and infinities can stand in it."""
        return self.stored in ("FLOAT", "DOUBLE")

    @property
    def raw(self) -> str:
        """The column as it is stored."""
        return identifier(self.name)

    @property
    def value(self) -> str:
        """SQL for the valid value: NULL where it is missing or invalid; time is seconds since 1970 (UTC)."""
        raw = self.raw
        if self.floats:
            return f"CASE WHEN isfinite({raw}) THEN CAST({raw} AS DOUBLE) END"
        if self.type == "number":
            return f"CAST({raw} AS DOUBLE)"
        if self.type == "date":
            return f"CASE WHEN isfinite({raw}) THEN CAST({raw} - DATE '1970-01-01' AS DOUBLE) * 86400 END"
        if self.type == "timestamp":
            return f"CASE WHEN isfinite({raw}) THEN epoch_us({raw}) / 1e6 END"
        if self.type == "text" and self.stored != "VARCHAR":
            return f"CAST({raw} AS VARCHAR)"
        return raw

    @property
    def double(self) -> str:
        """SQL for the valid value of a number or time as a double."""
        return f"CAST({self.value} AS DOUBLE)" if self.type == "integer" else self.value


def readers(con: duckdb.DuckDBPyConnection, relation: str) -> list[Reader]:
    """The columns of a relation, in its order; binary columns count as nested."""
    return [
        Reader(name, "nested" if stored.upper().startswith("BLOB") else kind(stored), stored.upper())
        for name, stored in columns(con, relation).items()
    ]


@dataclass(frozen=True)
class Request:
    """Aggregates over one column: SQL expressions of the column by alias, and aggregates over the aliases.

    In an output's SQL `{alias}` stands for the input of that alias.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def collect(
    con: duckdb.DuckDBPyConnection, relation: str, requests: Sequence[Request], group: str = ""
) -> dict[str | None, list[dict[str, Any]]]:
    """Answer all requests in as few passes as `BATCH` allows.

    Args:
        con: An open connection.
        relation: What can stand after FROM.
        requests: One for each column; their order is that of the answers.
        group: SQL for the name of the row's group; empty for one group, None. Rows of no group are left out.

    Returns:
        The outputs by name, one mapping for each request, for every group.
    """
    answers: dict[str | None, list[dict[str, Any]]] = {}
    step = GROUPED if group else BATCH
    for start in range(0, len(requests), step):
        batch = requests[start : start + step]
        for key, row in _rows(con, relation, batch, group).items():
            answers.setdefault(key, []).extend(_split(batch, row))
    return answers


def _rows(
    con: duckdb.DuckDBPyConnection, relation: str, batch: Sequence[Request], group: str
) -> dict[str | None, Sequence[Any]]:
    inputs, outputs = [], []
    for index, request in enumerate(batch):
        names = {alias: f"{alias}_{index}" for alias in request.inputs}
        inputs += [f"{sql} AS {names[alias]}" for alias, sql in request.inputs.items()]
        outputs += [sql.format(**names) for sql in request.outputs.values()]
    if not group:
        query = f"SELECT {', '.join(outputs)} FROM (SELECT {', '.join(inputs)} FROM {relation})"
        return {None: con.execute(query).fetchall()[0]}
    inner = f"SELECT {group} AS g, {', '.join(inputs)} FROM {relation}"
    query = f"SELECT g, {', '.join(outputs)} FROM ({inner}) WHERE g IS NOT NULL GROUP BY g ORDER BY g"
    return {row[0]: row[1:] for row in con.execute(query).fetchall()}


def _split(batch: Sequence[Request], row: Sequence[Any]) -> list[dict[str, Any]]:
    answers, at = [], 0
    for request in batch:
        names = list(request.outputs)
        answers.append(dict(zip(names, row[at : at + len(names)], strict=True)))
        at += len(names)
    return answers
