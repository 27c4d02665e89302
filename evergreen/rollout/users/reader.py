"""The reader of the slow evidence.

Cost of one read: it grows with the new segments, the requests of the last half hour, and the number of users
(their sums are read and written once). Memory: DuckDB streams under the bound that it is given and spills
past it. Measured with 512 MiB and a million users: 40 s of CPU for the first ten million rows, 2 to 3.5 s for
a thousand new ones, 7 s for 600,000; at most 511 MiB resident; a state of 6 to 36 MB.

Servers ship what they served some seconds later, each at a time of its own: right after a change the newest
requests of one arm may be there and those of the other not. So requests count only once every server has had
the time to ship them (`shipping`); younger ones wait in the state.

The evidence does not depend on how the log was cut into segments and reads, nor on their order, as long as no
row is more than five minutes (`sums.SETTLE`) behind the newest. A row that is later still counts, but not as
the cause of a retry that is counted already, and not as a duplicate of a request more than half an hour old.
The same record and segments give the same bytes of the state.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from evergreen import log
from evergreen.project.model import Resources
from evergreen.project.model.rollout import Rollout
from evergreen.project.model.serving import Serving
from evergreen.rollout.evidence import UserEvidence
from evergreen.rollout.record import ENDED, RolloutRecord
from evergreen.rollout.users.intake import TABLES, Intake
from evergreen.rollout.users.listing import Found, find
from evergreen.rollout.users.metrics import Wanted, wanted
from evergreen.rollout.users.periods import micros, periods_of
from evergreen.rollout.users.reference import Reference, reference_of
from evergreen.rollout.users.scratch import working_folder
from evergreen.rollout.users.sitting import Sitting
from evergreen.rollout.users.state import Meta, State, States, rows_of
from evergreen.storage import Store
from evergreen.tables import connect

_log = log.get(__name__)
LOOKBACK = 24 * 3600.0
"""So many seconds before the rollout users' habits are read from, for the covariate."""
_UPLOAD = 2.0
"""Seconds for a segment to be converted and uploaded."""


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
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        model: str,
        cache: Path,
        memory: str = "512MiB",
        lookback: float = LOOKBACK,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._model, self._cache = store, model, Path(cache)
        self._resources = Resources(memory=memory, threads=1)  # more would change the order of rows
        self._lookback, self._clock = lookback, clock
        self._references: dict[int, Reference] = {}
        self._one = threading.Lock()  # two rollouts of a model may be read for in two threads

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
        with self._one, working_folder(self._cache) as scratch, connect(self._resources) as con:
            before = states.load(con, record)
            asked = wanted(settings)
            if before is not None and before.meta.events != asked.events:
                before = None  # the rollout's metrics were changed: their sums are made anew
            offsets = evidence.offsets if before else {}
            newest = before.meta.newest if before else 0
            until = micros(self._clock() - shipping(record))
            found = find(self._store, self._model, offsets, newest, start)
            if before is not None and not found.refs and not _waits(record, before.meta):
                return replace(unchanged, left_out=before.meta.left_out)
            reading = self._sit(con, scratch, record, states, before, found, asked, start, until)
        states.prune(before.meta if before else None)
        return reading

    def _sit(
        self,
        con: duckdb.DuckDBPyConnection,
        scratch: Path,
        record: RolloutRecord,
        states: States,
        before: State | None,
        found: Found,
        asked: Wanted,
        start: int,
        until: int,
    ) -> UserReading:
        reference = self._reference(record, scratch)
        periods = periods_of(record, before.meta if before else None)
        _fill(con, before)
        intake = Intake(con, record, asked, reference, start, periods.copies)
        taken = intake.take(self._store, found.refs, scratch)
        sitting = Sitting(con, record, before, asked, periods.seen([taken.first]), reference, until)
        users, meta, rows = sitting.hold(taken, scratch)
        key = states.save(con, rows, meta, scratch)
        extra = {"rollout": record.id, "new": len(found.refs), "state": key, **meta.left_out}
        _log.debug("read the prediction log", extra=extra)
        return UserReading(users, found.offsets, key, meta.left_out)

    def _reference(self, record: RolloutRecord, scratch: Path) -> Reference:
        """Kept for as long as the candidate is the same; a bundle never changes."""
        version = record.candidate
        if version not in self._references:
            self._references = {version: reference_of(self._store, self._model, version, scratch)}
        return self._references[version]


def shipping(record: RolloutRecord) -> float:
    """Seconds after which what a server has served is in the store, by the settings of its log."""
    kept = Serving.model_validate(dict(record.serving)).log
    return kept.rotate.total_seconds() + kept.flush.total_seconds() + _UPLOAD


def _waits(record: RolloutRecord, meta: Meta) -> bool:
    """Whether there is something to sum although no segment is new."""
    return meta.newest >= meta.until or periods_of(record, meta).fresh


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
