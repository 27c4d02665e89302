"""The writer's end of the queue: frames become requests and outcomes, each kind for its own lane."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from evergreen import log
from evergreen.serving.predictions.entry import Outcome, Served
from evergreen.serving.predictions.ring import OUTCOMES, PREDICTIONS, Ring
from evergreen.serving.predictions.wire import Catalog, unpack_outcomes, unpack_served

_log = log.get(__name__)
_BITE_BYTES = 4 * 2**20  # what a killed writer may have taken and not written, and what it holds in memory
T = TypeVar("T")


class Inlet(Generic[T]):
    """Items of one kind on their way from the queue to a lane.

    Args:
        ring: The queue.
        kind: Its number there.
    """

    def __init__(self, ring: Ring, kind: int) -> None:
        self._ring, self._kind = ring, kind
        self._items: list[T] = []

    def add(self, items: list[T]) -> None:
        """Items that were taken from the queue."""
        self._items += items

    def take(self) -> list[T]:
        """Everything that was added."""
        items, self._items = self._items, []
        return items

    def settle(self) -> None:
        """Everything that was taken is written, or counted as dropped."""
        self._ring.settle(self._kind)

    def drop(self, count: int, reason: str) -> None:
        """Count items that are not written."""
        self._ring.drop(self._kind, count, reason, by_writer=True)

    def take_gap(self) -> dict[str, int]:
        """What was dropped since it was asked last, by reason; untold, it goes back by `keep_gap`."""
        gap = self._ring.untold(self._kind)
        self._ring.tell(self._kind, gap)
        return gap

    def keep_gap(self, gap: Mapping[str, int]) -> None:
        """Tell of it another time."""
        self._ring.tell(self._kind, gap, -1)


class Intake:
    """Takes from the queue.

    Args:
        ring: The queue.
        catalog: Of the models in it.
    """

    def __init__(self, ring: Ring, catalog: Catalog) -> None:
        self._ring, self._catalog = ring, catalog
        self.predictions: Inlet[Served] = Inlet(ring, PREDICTIONS)
        self.outcomes: Inlet[Outcome] = Inlet(ring, OUTCOMES)
        ring.attach()

    def pull(self) -> bool:
        """Hand a bite of what waits to the inlets; False when nothing waits."""
        frames = self._ring.take(_BITE_BYTES)
        for frame in frames:
            inlet = self.predictions if frame.kind == PREDICTIONS else self.outcomes
            try:
                if frame.kind == PREDICTIONS:
                    self.predictions.add([unpack_served(frame.data, self._catalog)])
                else:
                    self.outcomes.add(unpack_outcomes(frame.data))
            except Exception:  # noqa: BLE001 - one that cannot be read costs no other one
                _log.warning("prediction log: not readable", exc_info=True)
                inlet.drop(frame.items, "encode")
        return bool(frames)
