"""The prediction log of one server process (the face of this package; skeleton, being filled in)."""

from collections.abc import Sequence
from pathlib import Path

from evergreen.project.model.serving import PredictionLog
from evergreen.serving.predictions.entry import Outcome, Served
from evergreen.storage import Store


class PredictionLogger:
    """Takes what was served and writes it off the request path.

    Args:
        settings: The project's `serving.log`.
        model: The served model's name; the log lies below `predictions/<model>/` in the store.
        spool: A local folder for what is not shipped yet; several servers may share it.
        store: Where segments are shipped to.
        salt: Of hashed columns (`evergreen.serving.predictions.salt.find_salt(spool)`), never logged.
    """

    def __init__(self, settings: PredictionLog, model: str, spool: Path, store: Store, salt: str) -> None:
        raise NotImplementedError

    def record(self, served: Served) -> bool:
        """Take one request; never blocks, never raises. False when it was dropped (which is counted)."""
        raise NotImplementedError

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> bool:
        """Take outcomes, all or none; False when they were dropped."""
        raise NotImplementedError

    @property
    def dropped(self) -> int:
        """Requests and outcomes that were dropped, whatever the reason."""
        raise NotImplementedError

    @property
    def dropped_by_reason(self) -> dict[str, int]:
        """Of them by reason: `queue`, `disk`, `closed`, `encode`, `error`."""
        raise NotImplementedError

    @property
    def written(self) -> int:
        """Rows that are in a segment's file."""
        raise NotImplementedError

    @property
    def shipped(self) -> int:
        """Segments that the store has."""
        raise NotImplementedError

    @property
    def waiting(self) -> int:
        """Requests and batches of outcomes that wait to be written."""
        raise NotImplementedError

    @property
    def spooled(self) -> int:
        """Bytes on the local disk that are not shipped yet."""
        raise NotImplementedError

    def close(self, seconds: float = 10.0) -> None:
        """Write what waits, close the open segments and ship them; what cannot be shipped stays spooled."""
        raise NotImplementedError
