"""The reader of the slow evidence.

Cost of one read: it grows with the new segments, the requests of the last half hour, and the number of users
(their sums are read and written once). Memory: DuckDB streams under the bound that it is given and spills past
it. The same record and the same segments give the same evidence and the same bytes of the state, however the
log was cut into segments and reads, as long as no row is more than five minutes (`sums.SETTLE`) behind the
newest; a row that is later still counts, but is not seen as the retry's cause, nor as a duplicate after half
an hour.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from evergreen import log
from evergreen.project.model import Resources
from evergreen.project.model.rollout import Rollout
from evergreen.rollout.evidence import UserEvidence
from evergreen.rollout.record import ENDED, RolloutRecord
from evergreen.rollout.users.intake import TABLES, Intake
from evergreen.rollout.users.listing import Found, find
from evergreen.rollout.users.metrics import Wanted, wanted
from evergreen.rollout.users.periods import micros, periods_of
from evergreen.rollout.users.reference import Reference, reference_of
from evergreen.rollout.users.sitting import Sitting
from evergreen.rollout.users.state import State, States, rows_of
from evergreen.storage import Store
from evergreen.tables import connect

_log = log.get(__name__)
LOOKBACK = 24 * 3600.0
"""So many seconds before the rollout users' habits are read from, for the covariate."""


@dataclass(frozen=True)
class UserReading:
    """What a read gave; to be written to the record in one compare-and-swap.

    Attributes:
        users: The evidence.
        offsets: `predictions/<writer>` and `outcomes/<writer>` → last segment that was read.
        state: The key of the new state in the store; it is written already.
        left_out: Since the rollout began, by reason: `late` requests (settled without the rows around them),
            `outcomes` that belong to nobody, `answers` and `copies` without the other half, `segments` that
            were broken or gone.
    """

    users: UserEvidence
    offsets: Mapping[str, int]
    state: str
    left_out: Mapping[str, int] = field(default_factory=dict)


class UserReader:
    """Reads the prediction log and the outcomes of a model.

    Args:
        store: Of the log, of the states, and of the registry.
        model: The model's name.
        cache: A local folder; what is in it may be deleted at any time.
        memory: What a read may use, such as `512MiB`.
        lookback: Seconds before the rollout from which on users' habits are known.
    """

    def __init__(
        self, store: Store, model: str, cache: Path, memory: str = "512MiB", lookback: float = LOOKBACK
    ) -> None:
        self._store, self._model, self._cache = store, model, Path(cache)
        self._resources = Resources(memory=memory, threads=1)  # more would change the order of rows
        self._lookback = lookback
        self._references: dict[int, Reference] = {}

    def read(self, record: RolloutRecord) -> UserReading:
        """Read what came since the record's offsets; the record itself is not changed.

        Nothing is read for a rollout that has ended, or whose users get only one version.

        Raises:
            StorageError: when the store or the disk refuses.
            DataError: when the state is broken.
        """
        evidence = record.evidence
        unchanged = UserReading(evidence.users, _log_offsets(evidence.offsets), evidence.state)
        if not _wanted_now(record):
            return unchanged
        settings = Rollout.model_validate(record.settings)
        states = States(self._store, record.id, self._cache / "states")
        start = micros(record.created - self._lookback)
        with self._connected() as con:
            before = states.load(con, record)
            asked = wanted(settings)
            if before is not None and before.meta.events != asked.events:
                before = None  # the rollout's metrics were changed: their sums are made anew
            offsets = evidence.offsets if before else {}
            newest = before.meta.newest if before else 0
            found = find(self._store, self._model, offsets, newest, start)
            if before is not None and not found.refs and not periods_of(record, before.meta).fresh:
                return replace(unchanged, left_out=before.meta.left_out)
            reading = self._sit(con, record, states, before, found, asked, start)
        states.prune(before.meta if before else None)
        return reading

    def _sit(
        self,
        con: duckdb.DuckDBPyConnection,
        record: RolloutRecord,
        states: States,
        before: State | None,
        found: Found,
        asked: Wanted,
        start: int,
    ) -> UserReading:
        reference = self._reference(record)
        periods = periods_of(record, before.meta if before else None)
        _fill(con, before)
        intake = Intake(con, record, asked, reference, start, periods.copies)
        taken = intake.take(self._store, found.refs, self._cache)
        sitting = Sitting(con, record, before, asked, periods.seen([taken.first]), reference)
        with tempfile.TemporaryDirectory(dir=self._cache, prefix="users-") as scratch:
            users, meta, rows = sitting.hold(taken, Path(scratch))
            key = states.save(con, rows, meta)
        extra = {"rollout": record.id, "segments": len(found.refs), "state": key, **meta.left_out}
        _log.info("read the prediction log", extra=extra)
        return UserReading(users, found.offsets, key, meta.left_out)

    def _reference(self, record: RolloutRecord) -> Reference:
        """Kept for as long as the candidate is the same; a bundle never changes."""
        version = record.candidate
        if version not in self._references:
            self._references = {version: reference_of(self._store, self._model, version, self._cache)}
        return self._references[version]

    @contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        self._cache.mkdir(parents=True, exist_ok=True)
        for pattern in ("segments-*", "users-*", "bundle-*"):  # what a killed reader left
            for folder in self._cache.glob(pattern):
                shutil.rmtree(folder, ignore_errors=True)
        with connect(self._resources) as con:
            yield con


def _wanted_now(record: RolloutRecord) -> bool:
    if record.phase in ENDED or record.phase == "rolling_back" or record.direct:
        return False
    return record.phase == "starting" or record.plan.candidate is not None


def _log_offsets(offsets: Mapping[str, int]) -> dict[str, int]:
    return {n: seq for n, seq in offsets.items() if n.startswith(("predictions/", "outcomes/"))}


def _fill(con: duckdb.DuckDBPyConnection, before: State | None) -> None:
    """Make the tables, with what the last state kept."""
    for name, columns in TABLES.items():
        con.execute(f"CREATE TEMP TABLE {name} ({columns})")
    if before is None:
        return
    for kind, table, columns in (
        ("visit", "visits", f'id, "user", key, key // 4 < {before.meta.cut}'),
        ("report", "reports", 'id, "user", time, event, value'),
        (
            "half",
            "halves",
            "id, row, shadow, time, prediction, score, micros, status, empty, paired",
        ),
        ("answer", "answers", "time, arm, label, rows"),
    ):
        con.execute(f"INSERT INTO {table} {rows_of(before, kind, columns)}")
