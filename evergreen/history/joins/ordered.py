"""The latest known event of every label row from events that come in order of their time, as a log has them.

One pass in bounded memory and no sort of the events: what each entity saw last is kept, and a label row is
answered as soon as the events have passed its limit. Events out of order make the pass give up.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from evergreen.history.joins.join import EVENT, Keys
from evergreen.history.joins.timeline import Ints, bounds

_NEVER = np.iinfo(np.int64).min
_BATCH_ROWS, _ROWS = 122_880, 1_000_000
# Keys are looked up in an array of at most so many places, or 16 for each entity.
_DENSE = 4_000_000


@dataclass(frozen=True)
class Batch:
    """Events in order of time: entity code, time (microseconds), number in stored order."""

    codes: Ints
    times: Ints
    numbers: Ints


@dataclass(frozen=True)
class Latest:
    """For each label row the number and time of its latest known event; -1 and the smallest time for none."""

    numbers: Ints
    times: Ints


def latest_in_order(batches: Iterable[Batch], codes: Ints, limits: Ints, entities: int) -> Latest | None:
    """The last event of each label row's entity whose time is not after the row's limit.

    Of events with one time the last in stored order counts, as everywhere.

    Args:
        batches: The events.
        codes: The entity of each label row.
        limits: The latest time that counts for each, in microseconds.
        entities: The number of entities; codes are less.

    Returns:
        None when the events are not in order of time and number.
    """
    order = np.argsort(limits, kind="stable")
    sorted_limits = limits[order]
    state = Latest(np.full(entities, -1, dtype=np.int64), np.full(entities, _NEVER, dtype=np.int64))
    answers = Latest(np.full(len(codes), -1, dtype=np.int64), np.full(len(codes), _NEVER, dtype=np.int64))
    done, time, number = 0, _NEVER, -1
    for batch in batches:
        if not _in_order(batch, time, number):
            return None
        time, number = int(batch.times[-1]), int(batch.numbers[-1])
        upto = int(np.searchsorted(sorted_limits, time, side="left"))
        _answer(batch, order[done:upto], codes, limits, state, answers)
        # Of an index that repeats, the last value is the one that stays.
        state.numbers[batch.codes] = batch.numbers
        state.times[batch.codes] = batch.times
        done = max(done, upto)
    rest = order[done:]
    answers.numbers[rest], answers.times[rest] = state.numbers[codes[rest]], state.times[codes[rest]]
    return answers


def _in_order(batch: Batch, time: int, number: int) -> bool:
    times, numbers = batch.times, batch.numbers
    begins = int(times[0]) >= time and int(numbers[0]) > number
    return begins and bool(np.all(times[1:] >= times[:-1]) and np.all(numbers[1:] > numbers[:-1]))


def _answer(batch: Batch, rows: Ints, codes: Ints, limits: Ints, state: Latest, answers: Latest) -> None:
    """Answer the label rows whose limit this batch passes: from the batch, else from what came before."""
    if not len(rows):
        return
    asked = codes[rows]
    answers.numbers[rows], answers.times[rows] = state.numbers[asked], state.times[asked]
    wanted = np.zeros(len(state.numbers), dtype=np.bool_)
    wanted[asked] = True
    at = np.flatnonzero(wanted[batch.codes])
    if not len(at):
        return
    # Sorting code and position as one number is several times faster than a stable sort of the codes.
    width = max(1, int(len(batch.codes) - 1).bit_length())
    packed = np.sort((batch.codes[at] << width) | at)
    at, grouped = packed & ((1 << width) - 1), packed >> width
    first = np.flatnonzero(np.concatenate(([True], grouped[1:] != grouped[:-1])))
    begin, finish = np.zeros_like(state.numbers), np.zeros_like(state.numbers)
    begin[grouped[first]], finish[grouped[first]] = first, np.append(first[1:], len(grouped))
    start, end = begin[asked], finish[asked]
    last = bounds(batch.times[at], start, end, limits[rows])
    inside = last > start
    event = at[last[inside] - 1]
    answers.numbers[rows[inside]] = batch.numbers[event]
    answers.times[rows[inside]] = batch.times[event]


@dataclass(frozen=True)
class Log:
    """A source of events that may be in order of time.

    Attributes:
        con: A connection of its own.
        events: A query for them.
        key: The column with the entity's key.
        time: The column with the time in microseconds.
    """

    con: duckdb.DuckDBPyConnection
    events: str
    key: str
    time: str


def entity_keys(con: duckdb.DuckDBPyConnection, keys: Keys, table: str, code: str) -> Ints | None:
    """The key of every entity in order of its code; None unless they are whole numbers, densely used.

    Then an event's entity is found by looking its key up in an array: ten times faster than by hashing.

    Args:
        con: An open connection.
        keys: The join.
        table: The table of entities.
        code: Its column with the code, which counts from 0.
    """
    if len(keys.columns) != 1:
        return None
    found = con.sql(f"SELECT {keys.columns[0]} FROM {table} ORDER BY {code}").to_arrow_table().column(0)
    if not pa.types.is_signed_integer(found.type) or not len(found):
        return None
    known = found.to_numpy().astype(np.int64, copy=False)
    dense = int(known[-1]) - int(known[0]) < max(_DENSE, 16 * len(known))
    return known if dense else None


def latest_of_log(
    log: Log, known: Ints, codes: Ints, instants: Ints, delay: int, tolerance: timedelta | None
) -> pa.Array | None:
    """The number of the latest event known at each label row, NULL for none; None when a sort is needed.

    Args:
        log: The events.
        known: The entities' keys, in order of their codes.
        codes: The entity of each label row.
        instants: Its time in microseconds.
        delay: How long after its time an event is known, in microseconds.
        tolerance: How old the latest event may be.
    """
    limits = instants - delay
    query = (
        f"SELECT {log.key}, {log.time}, {EVENT} FROM ({log.events}) "
        f"WHERE {log.key} IS NOT NULL AND {log.time} <= {int(limits.max(initial=0))}"
    )
    reader = log.con.sql(query).to_arrow_reader(_BATCH_ROWS)
    if not pa.types.is_signed_integer(reader.schema.field(0).type):
        return None
    found = latest_in_order(batches_of(reader, known), codes, limits, len(known))
    if found is None:
        return None
    none = found.numbers < 0
    if tolerance is not None:
        age = instants - np.where(none, instants, found.times)
        none |= age > tolerance // timedelta(microseconds=1)
    return pa.array(found.numbers, mask=none)


def batches_of(reader: Any, known: Ints) -> Iterator[Batch]:
    """The events of known entities, in batches of about so many rows as are worth a call of numpy.

    Args:
        reader: Record batches of key, time and number; no key is missing.
        known: The entities' keys, ascending; an entity's code is its place among them.
    """
    table = np.full(int(known[-1]) - int(known[0]) + 2, -1, dtype=np.int32)
    table[known - known[0]] = np.arange(len(known), dtype=np.int32)
    pending: list[pa.RecordBatch] = []
    for batch in reader:
        pending.append(batch)
        if sum(b.num_rows for b in pending) >= _ROWS:
            yield from _coded(pending, int(known[0]), table)
            pending = []
    yield from _coded(pending, int(known[0]), table)


def _coded(pending: list[pa.RecordBatch], first: int, table: NDArray[np.int32]) -> Iterator[Batch]:
    if not pending:
        return
    keys, times, numbers = (c.to_numpy() for c in pa.Table.from_batches(pending).columns[:3])
    places = keys.astype(np.int64, copy=False) - first
    if places.min() < 0 or places.max() >= len(table):
        places = np.where((places < 0) | (places >= len(table)), len(table) - 1, places)
    codes = table[places]
    there = codes >= 0
    if not there.all():
        codes, times, numbers = codes[there], times[there], numbers[there]
    if len(codes):
        yield Batch(codes.astype(np.int64), times, numbers)
