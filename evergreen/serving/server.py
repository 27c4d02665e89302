"""Run the model server: take the port, load the model behind a closed readiness, serve, drain, end.

Everything runs in one process and on one event loop: granian's embedded server does the HTTP work in a thread
of its own, without Python's lock.
"""

import asyncio
import contextlib
import gc
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from evergreen import log
from evergreen.errors import Fault, InputError
from evergreen.project.model.serving import Serving
from evergreen.serving.app import App
from evergreen.serving.load import in_thread, load, warm
from evergreen.serving.model import ServedModel
from evergreen.serving.ports import require_free
from evergreen.serving.settings import Limits, Policy
from evergreen.serving.swap import Follower, Source, registry_source

if TYPE_CHECKING:
    from evergreen.serving.predictions.logger import PredictionLogger

__all__ = ["Options", "load", "run", "serve", "serve_bundle"]

_log = log.get(__name__)
Loader = Callable[[], ServedModel]
_CONNECTIONS = 8192
_HEAD_BYTES = 65_536  # of a request's line and headers; more is a 431
_DRAIN_SECONDS = 30.0
_THREADS_SECONDS = 2.0
_SWITCH_SECONDS = 0.001  # how long another thread may keep a request waiting for Python's lock


@dataclass(frozen=True)
class Options:
    """How a server runs.

    Attributes:
        settings: The section `serving` of the project file.
        follow: Seconds between two looks at the alias; None swaps at SIGHUP only.
        drain_delay: Seconds after SIGTERM in which readiness is false and requests are still taken, so that
            whoever sends them has time to notice.
        log_spool: The prediction log's local folder; None for no prediction log.
        log_store: Where the prediction log is shipped to; empty for the registry's store, or for a folder in
            the spool when a bundle's folder is served.
    """

    settings: Serving = field(default_factory=Serving)
    follow: float | None = None
    drain_delay: float = 0.0
    log_spool: Path | None = None
    log_store: str = ""


def serve(
    ref: str, store: str, *, host: str = "127.0.0.1", port: int = 8080, options: Options | None = None
) -> None:
    """Serve a model of the registry until SIGTERM or SIGINT; requests at work are then answered first.

    Liveness is true at once, readiness once the model is loaded, checked and warmed up. With an alias the
    version is swapped while serving: at SIGHUP, and by itself with `options.follow`.

    Args:
        ref: `name@alias` or `name@version`.
        store: Root of the registry: a folder, `s3://…` or `gs://…`.
        host: The address to listen on.
        port: The port to listen on.
        options: How it runs.

    Raises:
        InputError: the port is taken, there is no such model, or a byte of its bundle was changed.
        Fault: the HTTP server ended by itself.
    """
    options = options or Options()
    name, _, alias = ref.partition("@")
    limits, policy = Limits.of(options.settings), Policy.of(options.settings)
    source: Source | None = None
    if not alias.isdecimal():
        source = registry_source(ref, store, limits.rows, policy)
    elif options.follow is not None:
        raise InputError(
            ref, "names a version, which never moves", f"an alias such as {name}@baseline to follow"
        )
    loader: Loader = lambda: load(ref, store, limits.rows, policy)  # noqa: E731 - its type is the point
    _serve(name, loader, host, port, options, source, options.log_store or store)


def serve_bundle(
    folder: Path, name: str, *, host: str = "127.0.0.1", port: int = 8080, options: Options | None = None
) -> None:
    """Serve a bundle's folder, without a registry, as version 0; else as `serve`."""
    options = options or Options()
    limits, policy = Limits.of(options.settings), Policy.of(options.settings)
    if options.follow is not None:
        raise InputError("--follow", "given for a bundle's folder", "a model of the registry")
    store = options.log_store or str(options.log_spool and options.log_spool / "store")
    _serve(name, lambda: warm(name, 0, folder, limits.rows, policy), host, port, options, None, store)


def _serve(
    name: str, loader: Loader, host: str, port: int, options: Options, source: Source | None, store: str
) -> None:
    require_free(host, port, "the model server", "Name another one with --port, or stop what holds it.")
    predictions, salt = _open_log(name, options, store)
    limits, policy = Limits.of(options.settings), Policy.of(options.settings)
    app = App(name, limits, policy, predictions, salt)
    try:
        run(app, loader, host, port, source=source, options=options)
    finally:
        if predictions is not None:
            predictions.close()


def _open_log(name: str, options: Options, store: str) -> "tuple[PredictionLogger | None, str]":
    """The prediction log, when there is to be one, and the salt of users' keys."""
    settings, spool = options.settings.log, options.log_spool
    if spool is None or not settings.enabled:
        return None, ""
    from evergreen.serving.predictions.config import LogConfig
    from evergreen.serving.predictions.logger import PredictionLogger
    from evergreen.serving.predictions.salt import find_salt
    from evergreen.storage import open_store

    open_store(store)  # the writer's process would only find later that there is none
    salt = find_salt(spool)
    config = LogConfig(settings=settings, model=name, spool=spool, store=store, salt=salt)
    return PredictionLogger(config), salt


def run(
    app: App,
    loader: Loader,
    host: str,
    port: int,
    *,
    source: Source | None = None,
    options: Options | None = None,
) -> None:
    """Run an application until a signal comes; `serve` is this with a registry.

    Args:
        app: Answers requests.
        loader: Loads its first model.
        host: The address to listen on.
        port: The port to listen on.
        source: Where later versions come from; None for nowhere.
        options: How it runs.

    Raises:
        EvergreenError: of the loader.
        Fault: the HTTP server ended by itself.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    threads: set[int] = set()
    try:
        asyncio.run(_Process(app, options or Options(), threads).run(loader, host, port, source))
    finally:
        _wait_for_threads(threads)


class _Process:
    """One server from its start to its end; puts the ids of the HTTP server's threads into `threads`."""

    def __init__(self, app: App, options: Options, threads: set[int]) -> None:
        self.app, self.options, self.threads = app, options, threads
        self.stop, self.hurry = asyncio.Event(), asyncio.Event()

    async def run(self, loader: Loader, host: str, port: int, source: Source | None) -> None:
        server = Server(
            self.app, host, port, interface=Interfaces.RSGI, http=HTTPModes.http1, websockets=False,
            log_enabled=False, backlog=1024, backpressure=_CONNECTIONS,
            http1_settings=HTTP1Settings(header_read_timeout=30_000, max_buffer_size=_HEAD_BYTES),
        )  # fmt: skip
        follower = Follower(self.app, source, self.options.follow) if source else None
        self._take_signals(follower)
        before = _native_threads()
        serving = asyncio.create_task(server.serve())
        await _listening(serving, host, port)
        self.threads |= _native_threads() - before
        _log.info("listening", extra={"url": f"http://{host}:{port}", "model": self.app.name})
        working = asyncio.create_task(self._work(loader, follower))
        stopping = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait({serving, stopping, working}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
            if serving.done():
                raise Fault("the HTTP server ended by itself") from serving.exception()
            await self._drain()
        finally:
            self.app.draining = True
            server.stop()
            for task in (working, stopping):
                task.cancel()
            await asyncio.wait({serving}, timeout=_DRAIN_SECONDS)
            _log.info("stopped", extra={"in_flight": self.app.in_flight})

    def _take_signals(self, follower: Follower | None) -> None:
        loop = asyncio.get_running_loop()

        def end() -> None:
            (self.hurry if self.stop.is_set() else self.stop).set()

        def look() -> None:
            _log.info("asked to look at the alias", extra={"model": self.app.name, "follows": bool(follower)})
            if follower:
                follower.look_now()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        loop.add_signal_handler(signal.SIGHUP, look)

    async def _work(self, loader: Loader, follower: Follower | None) -> None:
        """Load the first model, then follow its alias, if it has one; without one, wait for the end."""
        model = await asyncio.wrap_future(in_thread(loader, f"{self.app.name} could not be loaded"))
        gc.collect()
        gc.freeze()  # what is there now stays: a collection need not walk through it
        self.app.serve(model)
        _log.info("ready", extra={"model": self.app.name})
        if follower:
            await follower.run()
        else:
            await self.stop.wait()

    async def _drain(self) -> None:
        """Say that no more requests shall be sent, and take those that are sent all the same for a while."""
        self.app.draining = True
        _log.info("draining", extra={"in_flight": self.app.in_flight, "seconds": self.options.drain_delay})
        if self.options.drain_delay > 0 and self.app.model is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.hurry.wait(), self.options.drain_delay)


async def _listening(serving: "asyncio.Task[None]", host: str, port: int) -> None:
    """Wait until the port takes connections."""
    while not serving.done():
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return
        await asyncio.sleep(0.01)
    raise Fault("the HTTP server did not start") from serving.exception()


def _native_threads() -> set[int]:
    """The ids of this process's threads, those unknown to Python too; empty on systems without /proc."""
    folder = Path("/proc/self/task")
    return {int(path.name) for path in folder.iterdir()} if folder.is_dir() else set()


def _wait_for_threads(threads: set[int]) -> None:
    """Let granian's threads end: one that lets go of a Python object while Python ends aborts the process."""
    deadline = time.monotonic() + _THREADS_SECONDS
    while threads & _native_threads() and time.monotonic() < deadline:
        time.sleep(0.005)
