"""Model servers as parts of the embedded platform.

Every call compares what shall be with the platform's state file, under the platform's lock: any number of
callers may ensure and remove at once, and one that is killed leaves nothing that the next one does not see.
Servers that died are started again by `ensure`, with a growing pause.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from evergreen import log
from evergreen.errors import Fault, InputError
from evergreen.local import parts, servers
from evergreen.local.process import Process
from evergreen.local.servers import Servers
from evergreen.local.state import Folder, State
from evergreen.local.watch import Watch
from evergreen.rollout.fleet import Fleet

_log = log.get(__name__)
_LOCK_SECONDS = 1.0
_BUSY_SECONDS = 10.0
_END_SECONDS = 45.0
_POLL_SECONDS = 0.05


class LocalFleet(Fleet):
    """The servers of one platform.

    Args:
        home: The platform's folder is `home/platform`.
    """

    def __init__(self, home: Path) -> None:
        self._folder = Folder(Path(home).resolve() / "platform")
        self._children: dict[str, Process] = {}
        self._watch = Watch()
        self._mutex = threading.Lock()

    def ensure(
        self, model: str, version: int, replicas: int, serving: Mapping[str, Any]
    ) -> tuple[str, ...] | None:
        """Start what of a version's servers is missing; never waits for one.

        Servers that run stay as they are: they keep the settings that they began with, and no call makes them
        fewer. What is started later for the same version gets the settings of that call.

        Returns:
            `host:port` of every server once all of them are ready; None while they come up, or while somebody
            else is starting and stopping parts.

        Raises:
            InputError: no platform runs here, or a server ended with exit code 2: with the end of its log.
        """
        state = self._state()
        count = max(replicas, servers.number_of(state, model, version))
        wanted = Servers(model, version, count, serving)
        if all(state.alive(name) for name in wanted.names):
            found = servers.endpoints(state, wanted)
            self._heed(state, wanted, found is not None)
            return found
        with self._folder.locked(_LOCK_SECONDS) as held:
            if held:
                self._start(wanted)
        return None

    def _start(self, wanted: Servers) -> None:
        with self._mutex:
            known = dict(self._children)
        done = servers.start_missing(self._folder, self._state(), wanted, known)
        with self._mutex:
            self._children |= done.children
        for name, child in done.children.items():
            _log.info("server started", extra={"part": name, "pid": child.pid})
        if done.failed:
            raise InputError(*done.failed)

    def remove(self, model: str, version: int) -> None:
        """End a version's servers: each answers what it is at, ships its prediction log, and goes.

        Raises:
            Fault: somebody else is starting and stopping parts.
        """
        with self._changing(model, version) as state:
            ended = servers.ask_to_end(self._folder, state, model, version) if state else {}
        deadline = time.monotonic() + _END_SECONDS
        while any(running.process.alive() for running in ended.values()):
            if time.monotonic() > deadline:
                for running in ended.values():
                    running.process.stop(0.0)
            time.sleep(_POLL_SECONDS)
        if ended:
            with self._changing(model, version) as state:
                if state:
                    servers.forget(self._folder, state, ended)
            _log.info("servers ended", extra={"model": model, "version": version, "count": len(ended)})

    @contextmanager
    def _changing(self, model: str, version: int) -> Iterator[State | None]:
        """The state, under the lock; None when the platform is down."""
        with self._folder.locked(_BUSY_SECONDS) as held:
            if not held:
                raise Fault(
                    f"{model}@{version}: somebody else is starting and stopping parts of the platform"
                )
            yield self._folder.read()

    def _heed(self, state: State, wanted: Servers, well: bool) -> None:
        """Kill a server that has not even said that it lives for a while; the next call starts it again."""
        for name in wanted.names:
            running = state.parts[name]
            answers = partial(bool, True) if well else partial(parts.is_alive, running.url)
            if self._watch.hangs(running, answers):
                _log.warning("server hangs; killed", extra={"part": name, "pid": running.pid})
                running.process.stop(0.0)

    def _state(self) -> State:
        state = self._folder.read()
        if state is None:
            raise InputError(
                str(self._folder.path),
                "no platform runs here",
                remedy="Start it with `evergreen up --router`.",
            )
        return state
