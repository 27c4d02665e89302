"""Where the controller looks, as types: whatever has these methods will do."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from evergreen.project.model.rollout import Rollout
from evergreen.registry import Registry
from evergreen.rollout.evidence import Evidence, UserEvidence
from evergreen.rollout.fleet import Fleet
from evergreen.rollout.record import RolloutRecord, Verdict
from evergreen.storage import Store


class UserReading(Protocol):
    """What a reader of the prediction log found."""

    @property
    @abstractmethod
    def users(self) -> UserEvidence:
        """The evidence."""

    @property
    @abstractmethod
    def offsets(self) -> Mapping[str, int]:
        """Up to where it was read."""

    @property
    @abstractmethod
    def state(self) -> str:
        """Where the sums by user are kept."""


class Reader(Protocol):
    """As `evergreen.rollout.users.UserReader`."""

    def read(self, record: RolloutRecord) -> UserReading:
        """The evidence of users past the record's offsets."""


class Judgement(Protocol):
    """As `evergreen.rollout.judge.Judgement`."""

    @property
    @abstractmethod
    def verdict(self) -> Verdict:
        """What follows."""

    @property
    @abstractmethod
    def looks(self) -> tuple[Mapping[str, float], ...]:
        """The looks of an experiment."""


Judge = Callable[[Rollout, int, Evidence, float], Judgement]
Query = Callable[[str, str], float | None]


@dataclass(frozen=True)
class Pace:
    """Seconds between two looks at what is slow."""

    users: float = 2.0
    queries: float = 2.0
    servers: float = 1.0
    registry: float = 2.0


@dataclass(frozen=True)
class Sources:
    """Where it looks.

    Attributes:
        registry: Of the models.
        fleet: The servers.
        readers: The reader of a model's prediction log; None for none.
        judge: What follows from evidence.
        query: A number from Prometheus.
        store: Where decisions and final records go; None for nowhere.
        pace: How often.
    """

    registry: Registry
    fleet: Fleet
    readers: Callable[[str], Reader | None]
    judge: Judge
    query: Query
    store: Store | None = None
    pace: Pace = Pace()
