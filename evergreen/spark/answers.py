"""What a Spark worker computes: each label row's latest event and aggregates, by the DuckDB engine's code.

Spark brings an entity's events and label rows together, sorted; the arithmetic is that of
`evergreen.history.joins.events`. Each entity has a tree of sums of its own there, so that neither chunks nor
partitions change a bit of it.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from evergreen.history.joins.events import CODE, EVENT_TIME, LabelRows, answer_chunk, entity_chunks
from evergreen.history.joins.join import EVENT
from evergreen.history.joins.plan import GroupPlan
from evergreen.history.joins.spine import ROW

TAG, TIME, NUMBER = "tag", "time", "number"
_CHUNK_ROWS = 200_000


def answer(
    batches: Iterable[pa.RecordBatch], plan: GroupPlan, picks: dict[tuple[str, str], int], keys: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Answer one partition's label rows; memory goes with 200,000 rows and the largest entity.

    Args:
        batches: Rows sorted by the keys, `tag` (0 an event, 1 a label row), `time` (microseconds) and
            `number` (of the event in stored order, or of the label row); v0, v1, … are the values that
            aggregates need, f0, f1, … the columns whose latest value counts.
        plan: The feature group.
        picks: What v0, v1, … are, as `evergreen.history.joins.events` says.
        keys: The columns that name an entity.

    Yields:
        `evergreen_row`, a0, a1, …, f0, f1, … for each label row.
    """
    for chunk in entity_chunks(_coded(batches, keys), _CHUNK_ROWS):
        tags = chunk[TAG].to_numpy()
        labels = chunk.filter(pa.array(tags == 1))
        if labels.num_rows:
            yield from _answered(chunk.filter(pa.array(tags == 0)), labels, plan, picks).to_batches()


def _answered(
    events: pa.Table, labels: pa.Table, plan: GroupPlan, picks: dict[tuple[str, str], int]
) -> pa.Table:
    codes, instants, rows = (labels[c].to_numpy() for c in (CODE, TIME, NUMBER))
    values = {f"v{i}": events[f"v{i}"] for i in picks.values()}
    places = pa.array(np.arange(events.num_rows, dtype=np.int64))
    known = pa.table({CODE: events[CODE], EVENT_TIME: events[TIME], EVENT: places, **values})
    found = answer_chunk(plan, picks, known, LabelRows(codes, instants, rows))
    columns = {ROW: found[ROW], **{f"a{i}": found[f"a{i}"] for i in range(len(plan.aggregates))}}
    if not plan.own:
        columns |= {f"f{i}": events[f"f{i}"].take(found[EVENT]) for i in range(len(plan.columns))}
    return pa.table(columns).combine_chunks()


def _coded(batches: Iterable[pa.RecordBatch], keys: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The batches with the number of their entity, counted from 0 in this partition."""
    last: list[object] | None = None
    code = -1
    for batch in batches:
        if not batch.num_rows:
            continue
        begins = _begins(batch, keys, last)
        codes = code + np.cumsum(begins, dtype=np.int64)
        code = int(codes[-1])
        last = [batch.column(k)[-1].as_py() for k in keys]
        yield batch.append_column(CODE, pa.array(codes))


def _begins(batch: pa.RecordBatch, keys: Sequence[str], last: list[object] | None) -> NDArray[np.bool_]:
    """Whether each row's entity is not that of the row before; `last` is the entity before the batch."""
    begins = np.zeros(batch.num_rows, dtype=np.bool_)
    begins[0] = last != [batch.column(k)[0].as_py() for k in keys]
    for name in keys:
        column = batch.column(name)
        begins[1:] |= pc.not_equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False)
    return begins
