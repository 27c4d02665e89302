"""Repair the rows of a table in one streamed pass: repaired rows, a log of changes, what was set aside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evergreen.ingest.convert import SQL_TYPES
from evergreen.project.model import ColumnType
from evergreen.repair.column import ColumnRepair, shown
from evergreen.repair.outcome import Outcome
from evergreen.tables.sql import identifier, identifiers

# Rows in memory at once: as read, as repaired, and as logged.
_BATCH_ROWS, _BATCH_CELLS = 65_536, 65_536 * 32
_ARROW: dict[ColumnType, pa.DataType] = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "text": pa.string(),
    "category": pa.string(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
}
_LOG = pa.schema(
    [
        ("row", pa.int64()),
        ("key", pa.string()),
        ("column", pa.int32()),
        ("rule", pa.string()),
        ("reason", pa.string()),
        ("from", pa.string()),
        ("to", pa.string()),
        ("face", pa.float64()),
        ("value", pa.float64()),
        ("text", pa.string()),
        ("kept", pa.bool_()),
    ]
)
_EPOCH = np.datetime64(0, "us")


@dataclass(frozen=True)
class Applied:
    """What the pass wrote, all of it Parquet in one folder.

    Attributes:
        values: Every row, repaired, with `kept` behind the table's columns.
        log: Every value that changed or cannot be repaired: row (from 1), key, index of the column, rule,
            reason, from, to; `face` and `text` are what it said on its own, `value` what it is now (numbers,
            seconds since 1970).
        aside: The rows that were set aside, as they were written, with row, key and reasons.
        rows: Rows in all.
        set_aside: Rows that were set aside.
        dropped: Rows that were left out.
    """

    values: Path
    log: Path
    aside: Path
    rows: int
    set_aside: int
    dropped: int


@dataclass
class _Column:
    """One repaired column of a batch; `slot`: each row's place in `outcomes`, -1 where nothing was read."""

    repair: ColumnRepair
    index: int
    values: pa.Array
    slot: np.ndarray[Any, Any]
    outcomes: list[Outcome]
    text: pa.Array

    def rows_where(self, test: Sequence[bool]) -> np.ndarray[Any, Any]:
        """The rows whose outcome passes, in order."""
        flags = np.append(np.asarray(test, dtype=bool), False)
        return np.nonzero(flags[self.slot])[0]


def apply(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    types: Mapping[str, str],
    repairs: Sequence[ColumnRepair],
    folder: Path,
    key: Sequence[str] = (),
) -> Applied:
    """Write the repaired rows of a relation, in its order.

    Memory: one batch of rows, and up to 100,000 outcomes a column.

    Args:
        con: An open connection.
        relation: SQL that can stand after FROM, with a fixed order of rows.
        types: Its columns with their DuckDB types.
        repairs: The columns that are repaired.
        folder: An empty folder.
        key: Columns that name a row in the log; empty: its number does.
    """
    query = _query(relation, types, repairs, key)
    names = list(types)
    batch_rows = max(2048, min(_BATCH_ROWS, _BATCH_CELLS // (len(names) + 2 * len(repairs))))
    paths = [folder / f"{name}.parquet" for name in ("values", "log", "aside")]
    writers: list[pq.ParquetWriter | None] = [None, None, None]
    rows = aside = dropped = 0
    try:
        reader = con.sql(query).to_arrow_reader(batch_rows)
        for batch in _batches(reader):
            done = [_repaired(batch, r, i, len(names)) for i, r in enumerate(repairs)]
            kept, reasons, left = _kept(done, batch.num_rows)
            pieces = (
                _values(batch, names, done, kept),
                _log(batch, done, rows, kept),
                _aside(batch, names, rows, reasons),
            )
            for i, piece in enumerate(pieces):
                writers[i] = _written(writers[i], paths[i], piece)
            rows, aside, dropped = rows + batch.num_rows, aside + len(reasons), dropped + left
    finally:
        for writer in writers:
            if writer is not None:
                writer.close()
    return Applied(paths[0], paths[1], paths[2], rows, aside, dropped)


def _batches(reader: Any) -> Any:
    """The reader's batches; an empty table is one batch without rows."""
    any_ = False
    for batch in reader:
        any_ = True
        yield batch
    if not any_:
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)


def _query(
    relation: str, types: Mapping[str, str], repairs: Sequence[ColumnRepair], key: Sequence[str]
) -> str:
    """Every column, then text and value of each repaired one where SQL can tell it, then the key."""
    items = [identifiers(types)]
    for repair in repairs:
        fast = repair.fast()
        items.append(repair.text())
        items.append(f"CAST({fast or 'NULL'} AS {SQL_TYPES[repair.type]})")
    parts = [f"{_quoted(k + '=')} || coalesce(CAST({identifier(k)} AS VARCHAR), '')" for k in key]
    items.append(f"concat_ws(', ', {', '.join(parts)})" if parts else "CAST(NULL AS VARCHAR)")
    numbered = ", ".join(items)
    return f"SELECT {numbered} FROM {relation}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _written(writer: pq.ParquetWriter | None, path: Path, piece: pa.Table) -> pq.ParquetWriter:
    writer = writer or pq.ParquetWriter(path, piece.schema, compression="zstd")
    writer.write_table(piece)
    return writer


def _repaired(batch: pa.RecordBatch, repair: ColumnRepair, index: int, width: int) -> _Column:
    text = batch.column(width + 2 * index).cast(pa.string())
    fast = batch.column(width + 2 * index + 1).cast(_ARROW[repair.type])
    known = pc.is_valid(fast)
    looked = pc.if_else(known, pa.scalar(None, pa.string()), text)
    encoded = pc.dictionary_encode(looked)
    outcomes = [repair.read(v) for v in encoded.dictionary.to_pylist()]
    slot = np.asarray(pc.fill_null(encoded.indices, -1), dtype=np.int64).copy()
    if repair.empty.value is not None:
        slot[np.asarray(pc.is_null(text))] = len(outcomes)
        outcomes = [*outcomes, repair.empty]
    read = pa.array([o.value for o in outcomes], type=_ARROW[repair.type])
    taken = read.take(pa.array(slot, mask=slot < 0))
    return _Column(repair, index, pc.coalesce(fast, taken), slot, outcomes, text)


def _kept(done: Sequence[_Column], rows: int) -> tuple[np.ndarray[Any, Any], dict[int, list[str]], int]:
    """Which rows stay, why others are set aside, and how many are left out without a trace."""
    kept = np.ones(rows, dtype=bool)
    reasons: dict[int, list[str]] = {}
    out = np.zeros(rows, dtype=bool)
    for column in done:
        if not any(o.reason for o in column.outcomes) or column.repair.policy.unfit == "missing":
            continue
        bad = column.rows_where([bool(o.reason) for o in column.outcomes])
        kept[bad] = False
        if column.repair.policy.unfit == "drop":
            out[bad] = True
            continue
        for row in bad.tolist():
            reason = column.outcomes[column.slot[row]].reason
            reasons.setdefault(row, []).append(f"{column.repair.name}: {reason}")
    out[list(reasons)] = False
    return kept, dict(sorted(reasons.items())), int(out.sum())


def _values(
    batch: pa.RecordBatch, names: Sequence[str], done: Sequence[_Column], kept: np.ndarray[Any, Any]
) -> pa.Table:
    arrays = {i: batch.column(i) for i in range(len(names))}
    arrays |= {names.index(c.repair.name): c.values for c in done}
    # Positions as names: a table may have a column that is called as the flag is.
    columns = {f"c{i}": arrays[i] for i in range(len(names))}
    return pa.table({**columns, "kept": pa.array(kept)})


def _log(batch: pa.RecordBatch, done: Sequence[_Column], base: int, kept: np.ndarray[Any, Any]) -> pa.Table:
    pieces = [_column_log(batch, c, base, kept) for c in done]
    return pa.concat_tables([p for p in pieces if p is not None] or [_LOG.empty_table()])


def _column_log(
    batch: pa.RecordBatch, column: _Column, base: int, kept: np.ndarray[Any, Any]
) -> pa.Table | None:
    outcomes = column.outcomes
    rows = column.rows_where([bool(o.rule or o.reason) for o in outcomes])
    if not len(rows):
        return None
    slot, at = pa.array(column.slot[rows]), pa.array(rows)

    def by_slot(values: list[Any], type_: pa.DataType) -> pa.Array:
        return pa.array(values, type=type_).take(slot)

    return pa.table(
        [
            pa.array(rows + base + 1),
            batch.column(batch.num_columns - 1).cast(pa.string()).take(at),
            pa.array(np.full(len(rows), column.index, dtype=np.int32)),
            by_slot([o.rule for o in outcomes], pa.string()),
            by_slot([o.reason or None for o in outcomes], pa.string()),
            column.text.take(at),
            by_slot([shown(o.value) for o in outcomes], pa.string()),
            by_slot([o.face if not isinstance(o.face, str) else None for o in outcomes], pa.float64()),
            by_slot([_number(o.value) for o in outcomes], pa.float64()),
            by_slot([o.face if isinstance(o.face, str) else None for o in outcomes], pa.string()),
            pa.array(kept[rows]),
        ],
        schema=_LOG,
    )


def _number(value: Any) -> float | None:
    """A value as the number that distributions are compared by."""
    if value is None or isinstance(value, str):
        return None
    if isinstance(value, bool | int | float):
        return float(value)
    return float((np.datetime64(value, "us") - _EPOCH) / np.timedelta64(1, "s"))


def _aside(
    batch: pa.RecordBatch, names: Sequence[str], base: int, reasons: Mapping[int, Sequence[str]]
) -> pa.Table:
    at = pa.array(list(reasons), type=pa.int64())
    columns = [batch.column(i).take(at) for i in range(len(names))]
    head = {
        "row": pa.array([base + row + 1 for row in reasons], type=pa.int64()),
        "key": batch.column(batch.num_columns - 1).cast(pa.string()).take(at),
        "reasons": pa.array(["; ".join(r) for r in reasons.values()], type=pa.string()),
    }
    return pa.table({**head, **{f"c{i}": c for i, c in enumerate(columns)}})
