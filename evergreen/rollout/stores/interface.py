"""The interface of every state store, and what all of them do alike."""

import re
from abc import abstractmethod
from typing import NamedTuple, Protocol

from evergreen import log
from evergreen.errors import InputError, StorageError
from evergreen.rollout.codec import decode
from evergreen.rollout.record import RolloutRecord

_log = log.get(__name__)
_ID = re.compile(r"[a-z][a-z0-9_-]{0,62}-\d{1,9}-[0-9a-f]{6}")


class Kept(NamedTuple):
    """A record, and the tag to change it by."""

    record: RolloutRecord
    tag: str


class StateStore(Protocol):
    """Records of rollouts. Every write is seen whole or not at all, and is lost when somebody was faster.

    Methods raise `StorageError` when the store refuses or cannot be reached.
    """

    @property
    @abstractmethod
    def uri(self) -> str:
        """Where the records are, as `open_state` takes it."""

    @abstractmethod
    def list(self, model: str | None = None, *, closed: bool = True) -> tuple[Kept, ...]:
        """The records of a model, or of all, oldest first.

        Args:
            model: The model's name; None for all.
            closed: With those that nothing will ever change again.
        """

    @abstractmethod
    def read(self, id: str) -> Kept:
        """One record.

        Raises:
            NotFoundError: when there is none.
        """

    @abstractmethod
    def write_if(self, record: RolloutRecord, tag: str | None) -> str:
        """Write a record if its tag is still `tag` (None: if there is none yet); returns the new tag.

        Raises:
            ConflictError: when someone else was faster.
        """

    @abstractmethod
    def remove(self, id: str) -> None:
        """Forget a record; one that is not there is no error."""

    def current(self, model: str) -> Kept | None:
        """The rollout that a person means by the model's name.

        The one under way whose plan the routers have; else the one that waits to begin; else the last one.
        """
        found = self.list(model)
        under_way = [kept for kept in found if not kept.record.ended]
        if under_way:
            return max(under_way, key=lambda k: (k.record.plan.generation, k.record.created))
        return found[-1] if found else None


def closed(record: RolloutRecord) -> bool:
    """Whether nothing will ever change a record again."""
    return record.settled and (bool(record.replaced) or not record.plan.generation)


def readable(data: bytes, tag: str, where: str) -> Kept | None:
    """A record of a list; a broken one is left out, so that it does not stop the rollouts of all models."""
    try:
        return Kept(decode(data, where), tag)
    except StorageError as error:
        _log.error("record left out", extra={"where": where, "error": str(error)})
        return None


def in_order(found: "list[Kept]") -> tuple[Kept, ...]:
    """Oldest first."""
    return tuple(sorted(found, key=lambda kept: (kept.record.created, kept.record.id)))


def checked_id(id: str) -> str:
    """Return `id` when it may name a rollout.

    Raises:
        InputError: when it may not.
    """
    if not _ID.fullmatch(id):
        expected = "MODEL-VERSION-XXXXXX with six hexadecimal digits"
        raise InputError(
            f"rollout {id!r}", "not a rollout's id", expected, "`evergreen rollout history` lists them."
        )
    return id
