"""A feature group's events, streamed in order of entity and time, and what each label row gets of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from evergreen.history.joins import timeline
from evergreen.history.joins.join import EVENT, Keys, numbered
from evergreen.history.joins.ordered import Log, entity_keys, latest_of_log
from evergreen.history.joins.plan import AggregateFeature, GroupPlan
from evergreen.history.joins.spine import INSTANT, ROW, microseconds
from evergreen.history.joins.timeline import Blocks, Bools, Floats, Ints
from evergreen.tables.connection import explained
from evergreen.tables.parquet import scan
from evergreen.tables.sql import identifier

_DAY = 86_400_000_000
_BATCH_ROWS = 122_880
_ENTITIES, CODE, EVENT_TIME = "evergreen_entities", "evergreen_code", "evergreen_time"


@dataclass(frozen=True)
class LabelRows:
    """A group's label rows by entity and time: entity code, instant (microseconds), row number."""

    codes: Ints
    instants: Ints
    rows: Ints

    def between(self, first: int, last: int) -> "LabelRows":
        """The rows at positions [first, last)."""
        return LabelRows(self.codes[first:last], self.instants[first:last], self.rows[first:last])


def write_group(
    con: duckdb.DuckDBPyConnection,
    plan: GroupPlan,
    keys: Keys,
    spine: Path,
    source: Path,
    target: Path,
    memory: int,
) -> None:
    """Write one row per label row whose keys are present: its number, its latest known event, its aggregates.

    An event counts for the latest value when its time plus the source's delay is not after the label's
    instant. For an aggregate over a window w it must also lie in [instant - w, instant): an event at the
    very instant of the label may be its outcome.

    DuckDB sorts the events (spilling to disk), this reads them once, in chunks that end with an entity. Where
    only the latest event is asked for and the source is in order of time, nothing is sorted.

    Args:
        con: An open connection.
        plan: The feature group.
        keys: Its join.
        spine: The spine's Parquet file.
        source: The folder of the source's Parquet.
        target: The Parquet file to write: `evergreen_row`, `evergreen_event` (number of the event in stored
            order, NULL for none), a0, a1, … in order of the plan's aggregates.
        memory: Bytes that a chunk may take, roughly; one entity's events are never split.
    """
    con.execute(
        f"CREATE OR REPLACE TABLE {_ENTITIES} AS "
        f"SELECT row_number() OVER (ORDER BY {keys.names}) - 1 AS {CODE}, *"
        f" FROM (SELECT DISTINCT {keys.select('left')} FROM {scan(spine)}) WHERE {keys.present}"
    )
    labels = _label_rows(con, keys, spine)
    picks, items = event_values(plan)
    moment = f"epoch_us(CAST({identifier(plan.time or '')} AS TIMESTAMP))"
    events = f"SELECT {keys.select('right')}, {moment} AS {EVENT_TIME}, * FROM {numbered(source)}"
    query = (
        f"SELECT {CODE}, {EVENT_TIME}, {EVENT}{items} FROM ({events}) JOIN {_ENTITIES} USING ({keys.names}) "
        f"WHERE {EVENT_TIME} <= {int(labels.instants.max(initial=0))} ORDER BY {CODE}, {EVENT_TIME}, {EVENT}"
    )
    chunk_rows = max(50_000, min(2_000_000, memory // (8 * (8 + 6 * len(picks)))))
    if not plan.aggregates and (keys_in_order := entity_keys(con, keys, _ENTITIES, CODE)) is not None:
        log = Log(con.cursor(), events, keys.columns[0], EVENT_TIME)
        delay, tolerance = microseconds(plan.delay), plan.group.tolerance
        known = latest_of_log(log, keys_in_order, labels.codes, labels.instants, delay, tolerance)
        if known is not None:
            arrays = [pa.array(labels.rows), known]
            pq.write_table(pa.Table.from_arrays(arrays, schema=_schema(plan)), target, compression="zstd")
            return
    done = 0
    with (
        pq.ParquetWriter(target, _schema(plan), compression="zstd") as writer,
        explained(f"features.{plan.group.name}"),
    ):
        reader = con.cursor().sql(query).to_arrow_reader(_BATCH_ROWS)
        for chunk in entity_chunks(reader, chunk_rows):
            last = chunk[CODE][-1].as_py()
            upto = int(np.searchsorted(labels.codes, last, side="right"))
            writer.write_table(answer_chunk(plan, picks, chunk, labels.between(done, upto)))
            done = upto
        rest = labels.between(done, len(labels.codes))
        writer.write_table(answer_chunk(plan, picks, reader.schema.empty_table(), rest))


def _label_rows(con: duckdb.DuckDBPyConnection, keys: Keys, spine: Path) -> LabelRows:
    query = (
        f"SELECT {CODE}, {INSTANT}, {ROW} FROM (SELECT {ROW}, {INSTANT}, {keys.select('left')} "
        f"FROM {scan(spine)}) JOIN {_ENTITIES} USING ({keys.names}) WHERE {INSTANT} IS NOT NULL "
        f"ORDER BY {CODE}, {INSTANT}, {ROW}"
    )
    table = con.sql(query).to_arrow_table()
    return LabelRows(*(table[c].to_numpy().astype(np.int64, copy=False) for c in (CODE, INSTANT, ROW)))


def event_values(plan: GroupPlan) -> tuple[dict[tuple[str, str], int], str]:
    """The values that aggregates need, by column (empty: rows) and condition, and their items of SELECT."""
    picks: dict[tuple[str, str], int] = {}
    items = ""
    for feature in plan.aggregates:
        pick = (feature.column or "", feature.where)
        if pick not in picks:
            picks[pick] = len(picks)
            items += f", {value_sql(*pick)} AS v{picks[pick]}"
    return picks, items


def value_sql(column: str, where: str) -> str:
    """SQL for what one event gives to an aggregate: its column, or 1; NULL where the condition is not met."""
    value = identifier(column) if column else "1"
    return f"CASE WHEN (\n{where}\n) THEN {value} END" if where else value


def _schema(plan: GroupPlan) -> pa.Schema:
    whole = ("count", "distinct")
    kinds = [pa.int64() if f.function in whole else pa.float64() for f in plan.aggregates]
    fields = [(ROW, pa.int64()), (EVENT, pa.int64()), *((f"a{i}", k) for i, k in enumerate(kinds))]
    return pa.schema(fields)


def entity_chunks(reader: Any, rows: int) -> Iterator[pa.Table]:
    """Tables of at least so many rows that end where an entity ends; the last one may have fewer."""
    pending: list[pa.RecordBatch] = []
    for batch in reader:
        pending.append(batch)
        if sum(b.num_rows for b in pending) < rows:
            continue
        table = pa.Table.from_batches(pending)
        codes = table[CODE].to_numpy()
        cut = int(np.searchsorted(codes, codes[-1]))
        if cut:
            yield table.slice(0, cut)
            pending = table.slice(cut).combine_chunks().to_batches()
    if pending and sum(b.num_rows for b in pending):
        yield pa.Table.from_batches(pending)


@dataclass
class _Slices:
    """What a chunk's events are to its label rows; index ranges and values are computed once each."""

    plan: GroupPlan
    events: pa.Table
    labels: LabelRows
    times: Ints = field(init=False)
    codes: Ints = field(init=False)
    start: Ints = field(init=False)
    end: Ints = field(init=False)
    blocks: Blocks = field(init=False)
    shift: Ints = field(init=False)
    known: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.codes = self.events[CODE].to_numpy().astype(np.int64, copy=False)
        self.times = self.events[EVENT_TIME].to_numpy()
        self.start = np.searchsorted(self.codes, self.labels.codes, side="left").astype(np.int64)
        self.end = np.searchsorted(self.codes, self.labels.codes, side="right").astype(np.int64)
        entities, lengths = np.unique(self.codes, return_counts=True)
        self.blocks = Blocks.of(lengths.astype(np.int64))
        at = np.searchsorted(entities, self.labels.codes)
        self.shift = np.where(self.end > self.start, np.append(self.blocks.begin, 0)[at], 0)

    def once(self, key: Any, compute: Callable[[], Any]) -> Any:
        """The result of `compute`, remembered under `key`."""
        if key not in self.known:
            self.known[key] = compute()
        return self.known[key]

    def upto(self, limits: Ints, key: Any) -> Ints:
        """For each label row, one past its last event not later than its limit."""
        return self.once(("upto", key), lambda: timeline.bounds(self.times, self.start, self.end, limits))

    def window(self, feature: AggregateFeature) -> tuple[Ints, Ints]:
        """The slice of events that count for a feature."""
        instants, delay = self.labels.instants, microseconds(feature.delay)
        high = self.upto(instants - max(delay, 1), ("high", max(delay, 1)))
        if feature.window is None:
            return self.start, high
        low = self.upto(instants - microseconds(feature.window) - 1, ("low", feature.window))
        return low, np.maximum(low, high)


def answer_chunk(
    plan: GroupPlan, picks: dict[tuple[str, str], int], events: pa.Table, labels: LabelRows
) -> pa.Table:
    """What the label rows of some entities get of those entities' events.

    Args:
        plan: The feature group.
        picks: What v0, v1, … are; see `event_values`.
        events: `evergreen_code` (of the entity), `evergreen_time` (microseconds), `evergreen_event` and v0,
            v1, …, in order of the first three.
        labels: The label rows, in order of entity, instant and row.

    Returns:
        The columns that `write_group` writes.
    """
    slices = _Slices(plan, events, labels)
    arrays = [pa.array(labels.rows), _latest(slices)]
    for feature in plan.aggregates:
        result = _aggregate(slices, feature, f"v{picks[(feature.column or '', feature.where)]}")
        arrays.append(
            pa.array(result, mask=np.isnan(result)) if result.dtype.kind == "f" else pa.array(result)
        )
    return pa.Table.from_arrays(arrays, schema=_schema(plan))


def _latest(slices: _Slices) -> pa.Array:
    """The number of the latest event known at each label row; NULL for none within the tolerance."""
    plan, instants = slices.plan, slices.labels.instants
    if not plan.columns or plan.own:
        return pa.nulls(len(instants), pa.int64())
    delay = microseconds(plan.delay)
    high = slices.upto(instants - delay, ("high", delay))
    found = high > slices.start
    at = np.where(found, high - 1, 0)
    if not len(slices.times):
        return pa.nulls(len(instants), pa.int64())
    if plan.group.tolerance is not None:
        found &= instants - slices.times[at] <= microseconds(plan.group.tolerance)
    return pa.array(slices.events[EVENT].to_numpy()[at], mask=~found)


def _aggregate(slices: _Slices, feature: AggregateFeature, column: str) -> NDArray[Any]:
    mask = slices.once(("mask", column), lambda: _mask(slices.events[column]))
    low, high = slices.window(feature)
    match feature.function:
        case "count":
            return timeline.counts(mask, low, high)
        case "recency":
            last = timeline.last_marked(mask, slices.start, high)
            if not len(slices.times):
                return np.full(len(last), np.nan)
            return np.where(last >= 0, (slices.labels.instants - slices.times[last]) / _DAY, np.nan)
        case "distinct":
            codes = slices.once(("codes", column), lambda: _dictionary_codes(slices.events[column]))
            return timeline.distinct_counts(slices.codes, codes, mask, low, high)
    return _numbers(slices, feature, column, mask, low, high)


def _numbers(
    slices: _Slices, feature: AggregateFeature, column: str, mask: Bools, low: Ints, high: Ints
) -> Floats:
    values: Floats = slices.once(("values", column), lambda: _floats(slices.events[column]))
    low, high, spread = low + slices.shift, high + slices.shift, slices.blocks.spread
    match feature.function:
        case "min" | "max":
            largest = feature.function == "max"
            none = -np.inf if largest else np.inf
            found = timeline.extremes(spread(np.where(mask, values, none), none), low, high, largest)
            return np.where(np.isfinite(found), found, np.nan)
        case "std":
            marked = spread(mask.astype(np.float64), 0.0) > 0
            return timeline.deviations(spread(values, 0.0), marked, low, high)
    key = ("sums", column, feature.window, feature.delay)
    total: Floats = slices.once(
        key, lambda: timeline.sums(spread(np.where(mask, values, 0.0), 0.0), low, high)
    )
    if feature.function == "sum":
        return total
    n = timeline.counts(mask, low - slices.shift, high - slices.shift)
    return np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0)


def _mask(column: pa.ChunkedArray) -> Bools:
    valid = pc.is_valid(column)
    if pa.types.is_floating(column.type):
        valid = pc.and_(valid, pc.fill_null(pc.is_finite(column), False))
    return np.asarray(valid.to_numpy(), dtype=np.bool_)


def _floats(column: pa.ChunkedArray) -> Floats:
    values = pc.fill_null(column.cast(pa.float64()), 0.0).to_numpy()
    return np.where(np.isfinite(values), values, 0.0)


def _dictionary_codes(column: pa.ChunkedArray) -> Ints:
    encoded = pc.dictionary_encode(column.combine_chunks())
    return pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
