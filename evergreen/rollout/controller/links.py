"""The routers of a model, spoken to all at once: one that hangs delays none of the others."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol, TypeVar

from evergreen import log
from evergreen.errors import ConflictError, EvergreenError
from evergreen.rollout.evidence import Bucket
from evergreen.rollout.plan import RoutePlan
from evergreen.rollout.seen import RouterSeen

_log = log.get(__name__)
T = TypeVar("T")


class Confirmation(Protocol):
    """A router's answer to a plan."""

    @property
    @abstractmethod
    def router(self) -> str:
        """The router's id."""

    @property
    @abstractmethod
    def generation(self) -> int:
        """Of the plan."""

    @property
    @abstractmethod
    def applied(self) -> bool:
        """Whether it routes by it."""

    @property
    @abstractmethod
    def reason(self) -> str:
        """Why not."""


class RouterState(Protocol):
    """What a router says of itself."""

    @property
    @abstractmethod
    def router(self) -> str:
        """The router's id."""

    @property
    @abstractmethod
    def generation(self) -> int:
        """Of its plan; 0 for none."""

    @property
    @abstractmethod
    def dead_man_fired(self) -> bool:
        """Whether it went back to the baseline by itself."""

    @property
    @abstractmethod
    def applied(self) -> bool:
        """Whether it routes by the plan."""

    @property
    @abstractmethod
    def envoy_up(self) -> bool:
        """Whether Envoy is live."""


class Router(Protocol):
    """One router, as `evergreen.rollout.router.client.RouterClient` is."""

    @abstractmethod
    def put_plan(self, plan: RoutePlan) -> Confirmation:
        """Have it carry out a plan; ConflictError for one that is older than what it has."""

    @abstractmethod
    def heartbeat(self, generation: int) -> bool:
        """Tell it that the controller of this generation lives."""

    @abstractmethod
    def state(self) -> RouterState:
        """What it carries out."""

    @abstractmethod
    def buckets(self, after: int) -> list[Bucket]:
        """What it saw, past a sequence number."""


@dataclass(frozen=True)
class Heard:
    """What one router said, and the buckets that it had."""

    seen: RouterSeen
    buckets: tuple[Bucket, ...] = ()


class Links:
    """Calls to many routers side by side.

    Args:
        patience: Seconds that one round waits; whoever is slower counts as not reached in this round, and is
            not asked again before it has answered or failed.
        threads: Calls at the same time.
    """

    def __init__(self, patience: float = 0.5, threads: int = 16) -> None:
        self.patience = patience
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="router")
        self._busy: dict[str, Future[object]] = {}

    def each(
        self, routers: Mapping[str, Router], work: Callable[[str, Router], T], patience: float | None = None
    ) -> dict[str, T]:
        """Call `work` for every router; those that fail or are too slow are missing in the result."""
        asked: dict[str, Future[T]] = {}
        for address, router in routers.items():
            busy = self._busy.get(address)
            if busy is None or busy.done():
                asked[address] = self._busy[address] = self._submit(work, address, router)  # type: ignore[assignment]
        wait(asked.values(), self.patience if patience is None else patience)
        return {a: f.result() for a, f in asked.items() if f.done() and _succeeded(a, f)}

    def stop(self) -> None:
        """Start nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _submit(self, work: Callable[[str, Router], T], address: str, router: Router) -> "Future[T]":
        return self._pool.submit(work, address, router)


class InlineLinks(Links):
    """Calls one after the other, in the caller's thread: for tests."""

    def _submit(self, work: Callable[[str, Router], T], address: str, router: Router) -> "Future[T]":
        done: Future[T] = Future()
        try:
            done.set_result(work(address, router))
        except Exception as error:  # noqa: BLE001 - the future carries it
            done.set_exception(error)
        return done


def _succeeded(address: str, future: "Future[T]") -> bool:
    error = future.exception()
    if error is not None and not isinstance(error, EvergreenError | OSError):
        _log.error("router call failed", extra={"router": address, "error": repr(error)})
    return error is None


def hear(links: Links, routers: Mapping[str, Router], offsets: Mapping[str, int] | None) -> dict[str, Heard]:
    """Ask every router for its state, and for the buckets past the offsets (None: for no buckets).

    Returns:
        By address; a router that did not answer is there with no generation.
    """

    def ask(_: str, router: Router) -> Heard:
        state = router.state()
        seen = RouterSeen(state.router, state.generation, state.dead_man_fired, state.applied, state.envoy_up)
        if offsets is None:
            return Heard(seen)
        try:
            return Heard(seen, tuple(router.buckets(offsets.get(f"router/{state.router}", 0))))
        except EvergreenError as error:
            _log.warning("no buckets", extra={"router": state.router, "error": str(error)})
            return Heard(seen)

    heard = links.each(routers, ask)
    return {address: heard.get(address) or Heard(RouterSeen(address)) for address in routers}


def tell(
    links: Links, routers: Mapping[str, Router], heard: Mapping[str, Heard], plan: RoutePlan, patience: float
) -> dict[str, int]:
    """Give the plan to every router that has an older one or is not known to have it; others get a heartbeat.

    A router that is behind gets no heartbeat: its dead man has to fire when the new plan never reaches it.

    Returns:
        By router: the generation that it confirmed.
    """

    def speak(address: str, router: Router) -> tuple[str, int] | None:
        known = heard[address].seen if address in heard else RouterSeen(address)
        if known.generation == plan.generation:
            return (known.name, plan.generation) if router.heartbeat(plan.generation) else None
        try:
            done = router.put_plan(plan)
        except ConflictError as error:
            _log.warning("plan refused", extra={"router": address, "error": str(error)})
            return None
        if not done.applied:
            extra = {"router": done.router, "generation": plan.generation, "reason": done.reason}
            _log.error("plan not applied", extra=extra)
            return None
        return done.router, done.generation

    answers = links.each(routers, speak, patience)
    return dict(answer for answer in answers.values() if answer is not None)
