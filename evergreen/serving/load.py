"""From a registry or a folder to a model that is ready to answer; in a thread that nobody has to wait for."""

import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from evergreen import log
from evergreen.bundle.load import load_bundle
from evergreen.errors import EvergreenError, Fault
from evergreen.serving.model import ServedModel
from evergreen.serving.settings import Policy

_log = log.get(__name__)
T = TypeVar("T")


def load(ref: str, store: str, max_rows: int, policy: Policy | None = None) -> ServedModel:
    """Fetch, verify, load and warm up a model; the fetched copy is removed again.

    Args:
        ref: `name@alias` or `name@version`.
        store: Root of the registry.
        max_rows: The most rows of one request.
        policy: What becomes of values that do not fit, and which outputs are empty.

    Raises:
        InputError: there is no such model, or its bundle must not be loaded.
    """
    from evergreen.registry import Registry
    from evergreen.storage import open_store

    registry = Registry(open_store(store))
    with tempfile.TemporaryDirectory(prefix="evergreen-model-") as temporary:
        folder = Path(temporary) / "bundle"
        found = registry.fetch(ref, folder)
        return warm(found.name, found.version, folder, max_rows, policy)


def warm(name: str, version: int, folder: Path, max_rows: int, policy: Policy | None = None) -> ServedModel:
    """Verify, load and warm up the bundle of a folder.

    Raises:
        BundleError: when it must not be loaded.
    """
    begun = time.perf_counter()
    model = ServedModel(name, version, load_bundle(folder, threads=1), max_rows, policy)
    seconds = model.warm_up()
    known = asdict(model.identity)
    known["model"] = known.pop("name")  # `name` is a field of every log record
    taken = round(time.perf_counter() - begun, 3)
    _log.info("model loaded", extra={**known, "seconds": taken, "row_seconds": round(seconds, 6)})
    return model


def in_thread(work: Callable[[], T], what: str) -> "Future[T]":
    """Do something in a thread of its own; a daemon, so that the end of the process does not wait for it.

    Args:
        work: What to do.
        what: What that is, for the message of a fault.

    Returns:
        The result; or an `EvergreenError`, which is a `Fault` when the work failed with another error.
    """
    done: Future[T] = Future()

    def run() -> None:
        if not done.set_running_or_notify_cancel():
            return
        try:
            done.set_result(work())
        except EvergreenError as error:
            done.set_exception(error)
        except Exception as error:  # noqa: BLE001 - told to whoever waits for it
            _log.exception("work in a thread failed", extra={"work": what})
            done.set_exception(Fault(f"{what}: {type(error).__name__}: {error}"))

    threading.Thread(target=run, name="load", daemon=True).start()
    return done
