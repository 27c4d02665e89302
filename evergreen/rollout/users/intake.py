"""New segments into tables: what a row of the log is reduced to before anything is summed.

Only times, ids, arms and outputs are read; features never are. A request counts by its first row (row 0).
"""

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from evergreen import log
from evergreen.errors import DataError, NotFoundError
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.users.metrics import RETRY, Wanted
from evergreen.rollout.users.periods import GRID, MICRO, micros
from evergreen.rollout.users.reference import Reference
from evergreen.serving.predictions.reading import SegmentRef, fetch
from evergreen.storage import Store
from evergreen.tables import explained, literal
from evergreen.tables.parquet import file_scan

_log = log.get(__name__)
_FILES, _BYTES = 64, 128 * 2**20
PAIRED_ROWS = 32
"""Of a request with many rows the first ones are compared, so that a batch does not outweigh all users."""
VALUE = 1_000_000
"""Values of outcomes are summed as whole millionths: the order of additions cannot matter."""
_LARGEST = 1e12
_ARM = "CASE arm WHEN 'baseline' THEN 1 WHEN 'candidate' THEN 2 WHEN 'shadow' THEN 3 ELSE 0 END"
# Keys of users are hexadecimal digits already. Hashes of request ids live for half an hour, so it does no
# harm that another version of DuckDB would make others.
_USER = 'coalesce(TRY_CAST(\'0x\' || "user" AS UBIGINT), md5_number_lower("user"))'
_ID = "hash(request_id)"

TABLES = {
    "visits": "id UBIGINT, \"user\" UBIGINT, key BIGINT, settled BOOLEAN",
    "reports": "id UBIGINT, \"user\" UBIGINT, time BIGINT, event SMALLINT, value BIGINT",
    "halves": "id UBIGINT, row INTEGER, shadow BOOLEAN, time BIGINT, prediction UBIGINT, score DOUBLE, "
    "micros BIGINT, status SMALLINT, empty BOOLEAN, paired BOOLEAN",
    "answers": "time BIGINT, arm TINYINT, label SMALLINT, rows BIGINT",
}  # fmt: skip
"""Columns of the tables; `key` of a visit is its time in microseconds times 4 plus its arm."""


@dataclass(frozen=True)
class Taken:
    """What was read.

    Attributes:
        newest: The latest time of a prediction, microseconds; 0 for none.
        first: When the candidate first answered a user; None for not yet.
        unreadable: Segments that are broken or gone.
    """

    newest: int = 0
    first: int | None = None
    unreadable: int = 0


class Intake:
    """Reads segments into the tables `visits`, `reports`, `halves` and `answers` of a connection.

    Args:
        con: An open connection that has the tables (`TABLES`).
        record: Of the rollout.
        wanted: Which events are summed.
        reference: What the candidate's outputs are counted by.
        start: Rows before it are left out; microseconds since 1970.
        copies: Whether answers and copies are compared.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        record: RolloutRecord,
        wanted: Wanted,
        reference: Reference,
        start: int,
        copies: bool,
    ) -> None:
        self._con, self._record, self._reference = con, record, reference
        self._events = [event for event in wanted.events if event != RETRY]
        self._places = {event: place for place, event in enumerate(wanted.events)}
        self._start, self._copies = start, copies

    def take(self, store: Store, refs: Sequence[SegmentRef], folder: Path) -> Taken:
        """Read segments, some at a time, each from a copy that is removed afterwards.

        Args:
            store: Where the log is.
            refs: The segments.
            folder: For the copies.
        """
        newest, firsts, unreadable = 0, [], 0
        for batch in _batches(refs):
            for part, files in _copies(store, batch, folder):
                if not files:
                    unreadable += len(part)
                    continue
                taken = self._read(part, files)
                newest, unreadable = max(newest, taken.newest), unreadable + taken.unreadable
                firsts += [] if taken.first is None else [taken.first]
        return Taken(newest, min(firsts, default=None), unreadable)

    def _read(self, refs: Sequence[SegmentRef], files: Sequence[Path]) -> Taken:
        """All of some files, or, when one of them is broken, each that is not."""
        self._con.begin()
        try:
            with explained(refs[0].key if len(refs) == 1 else "prediction log"):
                taken = self._predictions(files) if refs[0].kind == "predictions" else self._outcomes(files)
            self._con.commit()
            return taken
        except DataError as error:
            self._con.rollback()
            if len(refs) == 1:
                extra = {"segment": refs[0].key, "error": str(error)}
                _log.warning("segment of the prediction log cannot be read", extra=extra)
                return Taken(unreadable=1)
        each = [self._read([ref], [file]) for ref, file in zip(refs, files, strict=True)]
        firsts = [t.first for t in each if t.first is not None]
        return Taken(max(t.newest for t in each), min(firsts, default=None), sum(t.unreadable for t in each))

    def _predictions(self, files: Sequence[Path]) -> Taken:
        record, scan = self._record, file_scan(files)
        created, candidate = micros(record.created), record.candidate
        self._con.execute(
            f"INSERT INTO visits SELECT CASE request_id WHEN '' THEN hash(\"user\", time) ELSE {_ID} END, "
            f"{_USER}, epoch_us(time) * 4 + {_ARM}, FALSE FROM {scan} "
            f"WHERE row = 0 AND \"user\" <> '' AND arm <> 'shadow' AND epoch_us(time) >= {self._start}"
        )
        if self._copies:
            self._con.execute(
                f"INSERT INTO halves SELECT {_ID}, row, arm = 'shadow', epoch_us(time), "
                "md5_number_lower(prediction), CASE WHEN isfinite(score) THEN score END, "
                "CAST(round(seconds * 1e6) AS BIGINT), status, coalesce(empty, FALSE), FALSE "
                f"FROM {scan} WHERE request_id <> '' AND row < {PAIRED_ROWS} "
                f"AND epoch_us(time) >= {created} AND (arm <> 'shadow' OR version = {candidate})"
            )
        label = self._reference.place()
        if label:
            self._con.execute(
                f"INSERT INTO answers SELECT epoch_us(time) // {GRID} * {GRID}, {_ARM}, {label}, count(*) "
                f"FROM {scan} WHERE status < 400 AND NOT coalesce(empty, FALSE) AND prediction IS NOT NULL "
                f"AND arm IN ('baseline', 'candidate', 'shadow') AND {label} IS NOT NULL "
                f"AND (arm = 'baseline' OR version = {candidate}) AND epoch_us(time) >= {created} "
                "GROUP BY ALL"
            )
        (newest, first), = self._con.execute(
            f"SELECT max(epoch_us(time)), min(epoch_us(time)) FILTER (arm = 'candidate' "
            f"AND version = {candidate} AND epoch_us(time) >= {created}) FROM {scan}"
        ).fetchall()  # fmt: skip
        return Taken(newest or 0, first)

    def _outcomes(self, files: Sequence[Path]) -> Taken:
        if self._events:
            place = "CASE event " + " ".join(
                f"WHEN {literal(event)} THEN {self._places[event]}" for event in self._events
            )
            value = f"least(greatest(value, {-_LARGEST}), {_LARGEST})"
            self._con.execute(
                f"INSERT INTO reports SELECT CASE WHEN request_id <> '' THEN {_ID} END, "
                f"CASE WHEN \"user\" <> '' THEN {_USER} END, epoch_us(time), {place} END, "
                f"CAST(round({value} * {VALUE}) AS BIGINT) FROM {file_scan(files)} "
                f"WHERE isfinite(value) AND epoch_us(time) >= {self._start} "
                f"AND event IN ({', '.join(literal(event) for event in self._events)})"
            )
        return Taken()


def first_day(moment: int, seconds: float) -> date:
    """The UTC day of so many seconds before a time in microseconds."""
    return datetime.fromtimestamp(max(0.0, math.floor(moment / MICRO - seconds)), UTC).date()


def _batches(refs: Sequence[SegmentRef]) -> Iterator[list[SegmentRef]]:
    batch: list[SegmentRef] = []
    for ref in refs:
        full = len(batch) >= _FILES or sum(r.size for r in batch) + ref.size > _BYTES
        if batch and (full or ref.kind != batch[0].kind):
            yield batch
            batch = []
        batch.append(ref)
    if batch:
        yield batch


def _copies(
    store: Store, refs: list[SegmentRef], folder: Path
) -> Iterator[tuple[list[SegmentRef], list[Path]]]:
    """Local copies as long as they are read; a segment that is gone comes alone, without a copy."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="segments-") as scratch:
        there: list[SegmentRef] = []
        paths: list[Path] = []
        for ref in refs:
            try:
                paths += fetch(store, [ref], Path(scratch))
                there.append(ref)
            except NotFoundError:
                _log.warning("segment of the prediction log is gone", extra={"segment": ref.key})
                yield [ref], []
        if there:
            yield there, paths
