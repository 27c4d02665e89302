"""The agent beside an Envoy: applies plans, counts, takes the candidate back when nobody is heard."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from evergreen import log
from evergreen.errors import EvergreenError, Fault
from evergreen.rollout.plan import RoutePlan
from evergreen.rollout.router.admin import Admin, EnvoyDown
from evergreen.rollout.router.apply import Outcome, converge, in_force, write
from evergreen.rollout.router.bootstrap import Files
from evergreen.rollout.router.client import Confirmation, RouterState
from evergreen.rollout.router.config import Config, config
from evergreen.rollout.router.counter import Counter
from evergreen.rollout.router.envoy import LocalEnvoy, Settings
from evergreen.rollout.router.metrics import Metrics
from evergreen.rollout.router.saved import PlanStore, Saved

_log = log.get(__name__)
CLUSTER_LOG = "access.log"
_PATIENCE = 3.0
_LOOK_SECONDS = 0.1
_VERIFY_SECONDS = 1.0
_DEAD_MAN_SECONDS = 0.05
_COUNT_SECONDS = 0.25
_COUNT_UNREAD_SECONDS = 2.0
_UNREAD_SECONDS = 60.0
_MOST_BACKOFF = 5.0


class Refused(Fault):
    """Envoy refused a plan; the old one is in force. `confirmation` says why."""

    def __init__(self, confirmation: Confirmation) -> None:
        self.confirmation = confirmation
        super().__init__(confirmation.reason)


class Agent:
    """One router's agent.

    Args:
        name: The router's id.
        folder: The router's folder.
        salt: For the keys of users.
        local: How to start Envoy on this machine; None where something else runs it.
        admin: Envoy's admin page where it is not local.
    """

    def __init__(
        self, name: str, folder: Path, salt: str, *, local: Settings | None = None, admin: Admin | None = None
    ) -> None:
        self.name, self.files = name, Files(folder)
        self.files.prepare()
        self._store = PlanStore(folder)
        self._target = self._wanted()
        self._admin = admin
        self._local = LocalEnvoy(local, self.files, self._prepare) if local else None
        self.metrics = Metrics(name)
        self._counter = Counter(name, self.files, salt, self.metrics, self._live_logs)
        self._lock = asyncio.Lock()
        self._heard = time.monotonic() - self._store.silence()
        self._asked = time.monotonic()
        self._outcome = Outcome(False, reason="not looked at yet")
        self._next_start, self._backoff, self._verified = 0.0, 0.0, 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; then drain a local Envoy and count the rest.

        Raises:
            Fault: a local Envoy does not start at all.
        """
        await self._start()
        loops = [self._supervise, self._watch_controller, self._count]
        tasks: list[asyncio.Task[bool]] = [asyncio.create_task(self._forever(each)) for each in loops]
        ending: asyncio.Task[bool] = asyncio.create_task(_until(stop))
        try:
            await asyncio.wait([*tasks, ending], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in (*tasks, ending):
                task.cancel()
            await asyncio.gather(*tasks, ending, return_exceptions=True)
            async with self._lock:
                if self._local:
                    await asyncio.to_thread(self._local.stop)
            await self._count_the_rest()

    async def put(self, plan: RoutePlan) -> Confirmation:
        """Take a plan and bring Envoy to it.

        Raises:
            InputError: the plan cannot be routed by.
            ConflictError: it is older than the one that the router has.
            Refused: Envoy does not take it; the old one stays.
        """
        target = config(plan)
        async with self._lock:
            before = self._store.saved
            if not self._store.fence(plan) and before.dead_man_fired:
                reason = (
                    "the dead man took this generation back; put the plan with a newer generation to go on"
                )
                return Confirmation(self.name, plan.generation, False, reason)
            if plan != before.plan:
                await asyncio.to_thread(self._store.put, Saved(plan))
            self._hear()
            outcome = await asyncio.to_thread(converge, self.files, self._admin, target, _PATIENCE)
            if outcome.refused:
                await asyncio.to_thread(self._store.put, before)
                raise Refused(Confirmation(self.name, plan.generation, False, outcome.reason))
            self._target, self._outcome = target, outcome
        self._show()
        _log.info(
            "plan", extra={"generation": plan.generation, "share": plan.share, "applied": outcome.applied}
        )
        return Confirmation(self.name, plan.generation, outcome.applied, outcome.reason)

    def heartbeat(self, generation: int) -> bool:
        """Hear the controller; False where the router has another plan, or the dead man took it back."""
        saved = self._store.saved
        if saved.plan is None or saved.plan.generation != generation or saved.dead_man_fired:
            return False
        self._hear()
        return True

    async def state(self) -> RouterState:
        """How the router does."""
        saved, admin = self._store.saved, self._admin
        up = admin is not None and await asyncio.to_thread(admin.ready)
        return RouterState(
            router=self.name,
            generation=saved.plan.generation if saved.plan else 0,
            plan=saved.plan,
            dead_man_fired=saved.dead_man_fired,
            envoy_up=up,
            applied=self._outcome.applied and up,
            reason=self._outcome.reason,
            silence=time.monotonic() - self._heard,
        )

    def evidence(self, after: int) -> bytes:
        """The buckets after a number, as the answer's body."""
        self._asked = time.monotonic()
        return self._counter.evidence(after)

    @property
    def ready(self) -> bool:
        """Whether Envoy routes by a plan."""
        return self._outcome.applied and self._store.saved.plan is not None

    async def _start(self) -> None:
        async with self._lock:
            if self._local:
                self._admin = await asyncio.to_thread(self._local.ensure)
            self._outcome = await self._converge()
        self._show()

    async def _converge(self) -> Outcome:
        return await asyncio.to_thread(converge, self.files, self._admin, self._target, _PATIENCE)

    async def _forever(self, step: Callable[[], Awaitable[float]]) -> bool:
        """Do a step again and again; a fault of the moment is logged, not the end."""
        while True:
            try:
                pause = await step()
            except (EvergreenError, OSError) as error:
                _log.warning(
                    "will try again", extra={"step": getattr(step, "__name__", ""), "error": str(error)}
                )
                pause = _VERIFY_SECONDS
            except Exception:  # noqa: BLE001 - whatever it is, requests are routed, and that must go on
                _log.exception("a step failed")
                pause = _VERIFY_SECONDS
            await asyncio.sleep(pause)

    async def _supervise(self) -> float:
        """Restart a local Envoy that died, and look whether Envoy has what it should have."""
        if self._local and not self._local.alive:
            self._outcome = Outcome(False, reason="Envoy has died and is being started")
            if time.monotonic() >= self._next_start:
                await self._restart(self._local)
            return _LOOK_SECONDS
        now = time.monotonic()
        if now - self._verified < _VERIFY_SECONDS:
            return _LOOK_SECONDS
        self._verified = now
        async with self._lock:
            self._outcome = await asyncio.to_thread(self._verify)
        self._show()
        return _LOOK_SECONDS

    async def _restart(self, local: LocalEnvoy) -> None:
        self._backoff = min(_MOST_BACKOFF, self._backoff * 2 or _LOOK_SECONDS)
        self._next_start = time.monotonic() + self._backoff
        async with self._lock:
            self._admin = await asyncio.to_thread(local.ensure)
            self._outcome = await asyncio.to_thread(self._verify)
        self.metrics.restarts.inc()

    def _verify(self) -> Outcome:
        admin = self._admin
        if admin is not None:
            try:
                if in_force(self.files, admin, self._target):
                    if time.monotonic() > self._next_start + _MOST_BACKOFF:
                        self._backoff = 0.0
                    self.metrics.copied(admin.copies())
                    return Outcome(True)
            except EnvoyDown as error:
                return Outcome(False, reason=str(error))
        # Little patience: a plan that comes meanwhile waits for this.
        return converge(self.files, admin, self._target, _LOOK_SECONDS)

    async def _watch_controller(self) -> float:
        """The dead man's switch: nobody was heard for too long, so everyone gets the baseline."""
        saved = self._store.saved
        plan = saved.plan
        if plan is None or saved.dead_man_fired or plan.dead_man == 0 or not plan.live:
            return _DEAD_MAN_SECONDS
        if time.monotonic() - self._heard < plan.dead_man:
            return _DEAD_MAN_SECONDS
        async with self._lock:
            silent = time.monotonic() - self._heard
            if self._store.saved != saved or silent < plan.dead_man:
                return _DEAD_MAN_SECONDS  # a plan or a heartbeat came meanwhile
            await asyncio.to_thread(self._store.put, Saved(plan, True))
            self._target = self._wanted()
            self._outcome = await self._converge()
        _log.error(
            "the controller is silent: back to the baseline",
            extra={"generation": plan.generation, "seconds": round(silent, 3)},
        )
        self._show()
        return _DEAD_MAN_SECONDS

    async def _count(self) -> float:
        await self._counter.tick(self._admin)
        unread = time.monotonic() - self._asked > _UNREAD_SECONDS
        return _COUNT_UNREAD_SECONDS if unread else _COUNT_SECONDS

    async def _count_the_rest(self) -> None:
        try:
            while await self._counter.tick(None):
                pass
        except EvergreenError as error:
            _log.error("the last requests are counted at the next start", extra={"error": str(error)})
        self._counter.close()

    def _hear(self) -> None:
        self._heard = time.monotonic()
        self._store.heard()

    def _wanted(self) -> Config:
        return config(self._store.saved.plan, safe=self._store.saved.dead_man_fired)

    def _prepare(self) -> None:
        """An Envoy that starts reads these, whatever was written over them."""
        write(self.files, self._target)

    def _live_logs(self) -> frozenset[str]:
        return self._local.live_logs if self._local else frozenset({CLUSTER_LOG})

    def _show(self) -> None:
        saved = self._store.saved
        self.metrics.plan(saved.plan, saved.dead_man_fired, self._outcome.applied)


async def _until(stop: asyncio.Event) -> bool:
    return await stop.wait()
