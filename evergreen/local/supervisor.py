"""`python -m evergreen.local.supervisor HOME`: starts again what died of a platform with a router.

Who starts whom again:

- the supervisor: the S3 server, the routers' agents and the controller;
- each agent: its Envoy, which outlives a killed agent and is taken over by the next one;
- the controller, through `LocalFleet`: the model servers of every version that is needed;
- the next `evergreen up`: all of these, and the supervisor.

An agent or a controller that runs but has not answered for half a minute is killed first. A part that dies
again soon waits longer each time, up to half a minute. It is started with the command that the state file
has, so on the same port, once that is free. The supervisor ends when the platform is down or has another one.
"""

import argparse
import os
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from evergreen import log
from evergreen.errors import EvergreenError
from evergreen.local import parts
from evergreen.local.process import Process, birth, tail
from evergreen.local.servers import lasted, wait
from evergreen.local.state import CONTROLLER, ROUTER, S3, SUPERVISOR, Folder, State
from evergreen.local.watch import Watch
from evergreen.serving.ports import is_free
from evergreen.stopping import stop_on_signals

_log = log.get("evergreen.local.supervisor")  # as a program its name is __main__
_LOOK_SECONDS = 0.25
_LOCK_SECONDS = 1.0
_PROBE_SECONDS = 5.0
_INPUT = 2


class Supervisor:
    """Keeps a platform's own parts running.

    Args:
        home: The platform's folder is `home/platform`.
    """

    def __init__(self, home: Path) -> None:
        self._folder = Folder(Path(home).resolve() / "platform")
        self._me = Process(os.getpid(), birth(os.getpid()))
        self._children: dict[str, Process] = {}
        self._watch, self._next_probe = Watch(), 0.0

    def run(self, stop: threading.Event) -> None:
        """Look again and again, until `stop` or until this is no longer the platform's supervisor."""
        while not stop.is_set():
            try:
                if not self.look():
                    return
            except (EvergreenError, OSError) as error:
                _log.warning("will look again", extra={"error": str(error)})
            stop.wait(_LOOK_SECONDS)

    def look(self) -> bool:
        """Start what has died; whether there is still something to supervise."""
        state = self._folder.read()
        if state is None or not self._mine(state):
            return False
        self._end_hung(state)
        if any(self._due(state, name) for name in state.parts):
            with self._folder.locked(_LOCK_SECONDS) as held:
                state = self._folder.read() if held else None
                for name in tuple(state.parts) if state and self._mine(state) else ():
                    assert state is not None
                    state = self._restarted(state, name)
        return True

    def _end_hung(self, state: State) -> None:
        """Kill an agent or a controller that runs but says nothing; the next look starts it again."""
        if time.monotonic() < self._next_probe:
            return
        self._next_probe = time.monotonic() + _PROBE_SECONDS
        for name, running in state.parts.items():
            if not name.startswith((ROUTER, CONTROLLER)) or not running.process.alive():
                continue
            if self._watch.hangs(running, partial(parts.answers, name, running.url)):
                _log.warning("part hangs; killed", extra={"part": name, "pid": running.pid})
                running.process.stop(0.0)

    def _mine(self, state: State) -> bool:
        mine = state.parts.get(SUPERVISOR)
        return mine is not None and mine.process == self._me

    def _due(self, state: State, name: str) -> bool:
        """Whether a part of ours has died and has waited long enough."""
        running = state.parts[name]
        if not (name in (S3, CONTROLLER) or name.startswith(ROUTER)) or running.process.alive():
            return False
        if not running.command or time.time() < running.started + wait(lasted(running)):
            return False
        held = list(parts.server(self._folder, state).ports.values()) if name == S3 else []
        return all(is_free(state.host, port) for port in held or [urlsplit(running.url).port or 0])

    def _restarted(self, state: State, name: str) -> State:
        if not self._due(state, name):
            return state
        running = lasted(state.parts[name])
        recipe = parts.Recipe(running.command, running.variables, running.url)
        child = self._children.get(name)
        if (
            child is not None
            and child == running.process
            and child.exit_code() == _INPUT
            and not running.failed
        ):
            said = tail(self._folder.log(name), lines=6)
            running = replace(running, failed=f"cannot be started; the end of its log:{said}")
            state = state.with_part(name, running)
            self._folder.write(state)
            return state
        state, self._children[name] = parts.launch(self._folder, state, name, recipe, running.restarts + 1)
        extra = {"part": name, "pid": self._children[name].pid, "restarts": running.restarts + 1}
        _log.warning("part had died; started again", extra=extra)
        return state


def main() -> int:
    """Supervise until stopped; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evergreen.local.supervisor", description=__doc__)
    parser.add_argument("home", type=Path)
    given = parser.parse_args()
    log.configure()
    Supervisor(given.home).run(stop_on_signals())
    return 0


if __name__ == "__main__":
    sys.exit(main())
