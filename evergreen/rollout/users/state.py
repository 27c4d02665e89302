"""The state between two reads: an immutable Parquet object of sums by user and rows that may be needed.

`rollouts/<id>/users/<number>-<digest>.parquet`. Rows of several kinds (column `kind`): `user` (sums), `visit`
(requests of the last half hour, for outcomes and retries to come), `report` (outcomes that may still change),
`half` (answers and copies that wait for each other), `answer` (counts of outputs by tenth of a second). What
belongs to all of it stands in the file's metadata as JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import msgspec

from evergreen import files, log
from evergreen.errors import DataError, NotFoundError
from evergreen.files import sha256
from evergreen.rollout.record import RolloutRecord
from evergreen.storage import Store
from evergreen.tables import explained, literal
from evergreen.tables.parquet import file_scan

_log = log.get(__name__)
_KEY = "evergreen"
_ROW_GROUP = 122_880
_DIGEST = 16


class PairSums(msgspec.Struct, frozen=True):
    """Sums over pairs as whole numbers, so that their order cannot matter.

    `score` and its squares are in units of 2^-40 of the label's scale, `micros` in microseconds.
    """

    pairs: int = 0
    requests: int = 0
    disagreements: int = 0
    failures: int = 0
    slower: int = 0
    score: int = 0
    score_squares: int = 0
    micros: int = 0
    micros_squares: int = 0

    def plus(self, other: "PairSums") -> "PairSums":
        """The sums of both together."""
        names = self.__struct_fields__
        return PairSums(*(getattr(self, n) + getattr(other, n) for n in names))


class Meta(msgspec.Struct, frozen=True):
    """What a state says about itself; times in microseconds since 1970 but `since` (as in the record).

    Attributes:
        number: Counts the states of a rollout from 1.
        events: The events whose sums the users have, in the order of the columns.
        stage: Of the record that was read for, as `since` and `share`.
        since: When the stage began.
        share: Percent of the users that the candidate had.
        begin: See `Periods`, as `live`, `epoch` and `gaps`.
        live: When users first got the candidate.
        epoch: Since then the share has not fallen.
        gaps: Transitions between stages.
        newest: The latest time of any prediction that was read.
        cut: Rows before it are in the sums for good.
        happened: Events of the present stage by event and arm.
        pairs: Of the present stage.
        answered: Outputs of the present stage by arm and label.
        left_out: How often, by reason: see `UserReading.left_out`.
        until: Requests from here on were not counted yet.
    """

    number: int
    events: tuple[str, ...]
    stage: int
    since: float
    share: float
    begin: int
    live: int
    epoch: int
    gaps: tuple[tuple[int, int], ...]
    newest: int
    cut: int
    happened: dict[str, dict[str, int]] = {}
    pairs: PairSums = PairSums()
    answered: dict[str, dict[str, int]] = {}
    left_out: dict[str, int] = {}
    until: int = 2**60


@dataclass(frozen=True)
class State:
    """A state on this machine's disk."""

    meta: Meta
    path: Path


class States:
    """The states of one rollout in the store, with a copy of the last one at hand.

    Args:
        store: Of the project.
        rollout: The rollout's id.
        cache: A local folder.
    """

    def __init__(self, store: Store, rollout: str, cache: Path) -> None:
        self._store, self._prefix = store, f"rollouts/{rollout}/users"
        self._cache = Path(cache) / rollout

    def load(self, con: duckdb.DuckDBPyConnection, record: RolloutRecord) -> State | None:
        """The state that the record names; None for none, and for one that is lost: then all is read again.

        Raises:
            DataError: when the object is there but is no state.
        """
        key = record.evidence.state
        if not key:
            return None
        path = self._cache / Path(key).name
        if not path.is_file() or sha256(path)[:_DIGEST] != path.stem.partition("-")[2]:
            try:
                self._store.download(key, path)
            except NotFoundError:
                _log.warning("state of the users is lost: the log is read anew", extra={"state": key})
                return None
        return State(_meta(con, path), path)

    def save(self, con: duckdb.DuckDBPyConnection, query: str, meta: Meta, scratch: Path) -> str:
        """Write a state to the store before any record names it; the same rows give the same key.

        Args:
            con: An open connection with one thread, so that rows keep their order.
            query: The rows, in order.
            meta: What the state says about itself.
            scratch: A folder on the cache's disk.
        """
        self._cache.mkdir(parents=True, exist_ok=True)
        about = msgspec.json.encode(meta, order="deterministic").decode()
        how = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP}"
        made = scratch / "state.parquet"
        with files.explained(made), explained(self._prefix):
            target = literal(str(made))
            con.execute(f"COPY ({query}) TO {target} ({how}, KV_METADATA {{{_KEY}: {literal(about)}}})")
        path = self._cache / f"{meta.number:06d}-{sha256(made)[:_DIGEST]}.parquet"
        made.replace(path)
        key = f"{self._prefix}/{path.name}"
        self._store.upload(path, key)
        return key

    def prune(self, meta: Meta | None) -> None:
        """Remove what no record can name any more: older than the state before the one that was read."""
        if meta is None:
            return
        for entry in list(self._store.list(self._prefix)):
            if _number(entry.key) < meta.number - 1:
                self._store.delete(entry.key)
        for path in self._cache.glob("*.parquet"):
            if _number(path.name) < meta.number:
                path.unlink(missing_ok=True)


def _number(key: str) -> int:
    digits = Path(key).name.partition("-")[0]
    return int(digits) if digits.isdecimal() else 0


def _meta(con: duckdb.DuckDBPyConnection, path: Path) -> Meta:
    with explained(str(path), "Remove the object: the log is read anew then."):
        found: Mapping[bytes, bytes] = dict(
            con.execute(f"SELECT key, value FROM parquet_kv_metadata({literal(str(path))})").fetchall()
        )
    try:
        return msgspec.json.decode(found[_KEY.encode()], type=Meta)
    except (KeyError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise DataError(str(path), f"not a state of users ({error})") from error


def rows_of(state: State, kind: str, columns: str) -> str:
    """SQL: the rows of one kind."""
    return f"SELECT {columns} FROM {file_scan([state.path])} WHERE kind = {literal(kind)}"
