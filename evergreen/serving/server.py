"""Run the model server: take the port, load the model behind a closed readiness, serve, drain, end.

Everything runs in one process and on one event loop: granian's embedded server does the HTTP work in a thread
of its own, without Python's lock.
"""

import asyncio
import contextlib
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from evergreen import log
from evergreen.bundle.load import load_bundle
from evergreen.errors import EvergreenError, Fault
from evergreen.serving.app import App, Limits
from evergreen.serving.model import ServedModel
from evergreen.serving.ports import require_free

_log = log.get(__name__)
Loader = Callable[[], ServedModel]
_CONNECTIONS = 8192
_DRAIN_SECONDS = 30.0
_THREADS_SECONDS = 2.0


def serve(
    ref: str, store: str, *, host: str = "127.0.0.1", port: int = 8080, limits: Limits | None = None
) -> None:
    """Serve a model of the registry until SIGTERM or SIGINT; requests at work are then answered first.

    Liveness is true at once, readiness once the model is loaded, checked and warmed up.

    Args:
        ref: `name@alias` or `name@version`.
        store: Root of the registry: a folder, `s3://…` or `gs://…`.
        host: The address to listen on.
        port: The port to listen on.
        limits: What is refused; None for the defaults of `Limits`.

    Raises:
        InputError: the port is taken, there is no such model, or a byte of its bundle was changed.
        Fault: the HTTP server ended by itself.
    """
    limits = limits or Limits()
    _serve(ref.partition("@")[0], lambda: load(ref, store, limits.rows), host, port, limits)


def serve_bundle(
    folder: Path, name: str, *, host: str = "127.0.0.1", port: int = 8080, limits: Limits | None = None
) -> None:
    """Serve a bundle's folder, without a registry, as version 0; else as `serve`."""
    limits = limits or Limits()
    _serve(name, lambda: _warm(name, 0, folder, limits.rows), host, port, limits)


def load(ref: str, store: str, max_rows: int) -> ServedModel:
    """Fetch, verify, load and warm up a model; the fetched copy is removed again.

    Raises:
        InputError: there is no such model, or its bundle must not be loaded.
    """
    from evergreen.registry import Registry
    from evergreen.storage import open_store

    registry = Registry(open_store(store))
    with tempfile.TemporaryDirectory(prefix="evergreen-model-") as temporary:
        folder = Path(temporary) / "bundle"
        found = registry.fetch(ref, folder)
        return _warm(found.name, found.version, folder, max_rows)


def _warm(name: str, version: int, folder: Path, max_rows: int) -> ServedModel:
    begun = time.perf_counter()
    model = ServedModel(name, version, load_bundle(folder, threads=1), max_rows)
    seconds = model.warm_up()
    known = asdict(model.identity)
    known["model"] = known.pop("name")  # `name` is a field of every log record
    taken = round(time.perf_counter() - begun, 3)
    _log.info("model loaded", extra={**known, "seconds": taken, "row_seconds": round(seconds, 6)})
    return model


def _serve(name: str, loader: Loader, host: str, port: int, limits: Limits) -> None:
    require_free(host, port, "the model server", "Name another one with --port, or stop what holds it.")
    threads: set[int] = set()
    try:
        asyncio.run(_run(App(name, limits), loader, host, port, threads))
    finally:
        _wait_for_threads(threads)


async def _run(app: App, loader: Loader, host: str, port: int, threads: set[int]) -> None:
    """Serve until a signal comes, then drain; puts the ids of the HTTP server's threads into `threads`."""
    server = Server(
        app, host, port, interface=Interfaces.RSGI, http=HTTPModes.http1, websockets=False, log_enabled=False,
        backlog=1024, backpressure=_CONNECTIONS, http1_settings=HTTP1Settings(header_read_timeout=30_000),
    )  # fmt: skip
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    before = _native_threads()
    serving = asyncio.create_task(server.serve())
    await _listening(serving, host, port)
    threads |= _native_threads() - before
    _log.info("listening", extra={"url": f"http://{host}:{port}", "model": app.name})
    loading, stopping = asyncio.create_task(_load(app, loader)), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping, loading}, return_when=asyncio.FIRST_COMPLETED)
        if loading.done():
            await loading
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            raise Fault("the HTTP server ended by itself") from serving.exception()
    finally:
        app.draining = True
        _log.info("draining", extra={"in_flight": app.in_flight})
        server.stop()
        for task in (loading, stopping):
            task.cancel()
        await asyncio.wait({serving}, timeout=_DRAIN_SECONDS)
        _log.info("stopped", extra={"in_flight": app.in_flight})


async def _listening(serving: "asyncio.Task[None]", host: str, port: int) -> None:
    """Wait until the port takes connections."""
    while not serving.done():
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return
        await asyncio.sleep(0.01)
    raise Fault("the HTTP server did not start") from serving.exception()


async def _load(app: App, loader: Loader) -> None:
    """Load in a thread, so that liveness is answered; a daemon, so that SIGTERM does not wait for it."""
    loaded: Future[ServedModel] = Future()

    def work() -> None:
        try:
            loaded.set_result(loader())
        except EvergreenError as error:
            loaded.set_exception(error)
        except Exception as error:  # noqa: BLE001 - told to the main thread, which ends the server with it
            _log.exception("loading failed")
            loaded.set_exception(Fault(f"{app.name} could not be loaded: {type(error).__name__}: {error}"))

    threading.Thread(target=work, name="load", daemon=True).start()
    model: ServedModel = await asyncio.wrap_future(loaded)
    app.serve(model)
    _log.info("ready", extra={"model": app.name})


def _native_threads() -> set[int]:
    """The ids of this process's threads, those unknown to Python too; empty on systems without /proc."""
    folder = Path("/proc/self/task")
    return {int(path.name) for path in folder.iterdir()} if folder.is_dir() else set()


def _wait_for_threads(threads: set[int]) -> None:
    """Let granian's threads end: one that lets go of a Python object while Python ends aborts the process."""
    deadline = time.monotonic() + _THREADS_SECONDS
    while threads & _native_threads() and time.monotonic() < deadline:
        time.sleep(0.005)
