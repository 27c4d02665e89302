"""The thread that turns closed segments into Parquet and brings them to the store, in order."""

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from evergreen import log
from evergreen.errors import ConflictError, EvergreenError
from evergreen.serving.predictions.layout import KINDS
from evergreen.serving.predictions.segment import to_parquet
from evergreen.serving.predictions.spool import WriterFolder, dead_writers, used_bytes
from evergreen.storage import Store

_log = log.get(__name__)
_LOOK_SECONDS = 10.0  # how often dead writers are looked for
_LONGEST_WAIT = 30.0
_LAST_TRIES = 3  # of a server that stops while its store cannot be reached
_WHOLE_BYTES = 64 * 2**20  # larger files are sent in parts, which has no condition


class Room:
    """What the spool may hold on the local disk.

    Args:
        spool: The folder.
        budget: Its bytes; past them nothing more is recorded until a tenth is free again.
        show: Told how many bytes are used, and whether that is too much.
    """

    def __init__(self, spool: Path, budget: int, show: Callable[[int, bool], None]) -> None:
        self._spool, self._budget, self._show = spool, budget, show
        self.used, self.full = used_bytes(spool), False
        self._judge()

    def grew(self, size: int) -> None:
        """Take note of bytes that were written."""
        self.used += size
        self._judge()

    def measure(self) -> None:
        """Look what is there."""
        self.used = used_bytes(self._spool)
        self._judge()

    def _judge(self) -> None:
        full = self.used > self._budget * (0.9 if self.full else 1.0)
        if full != self.full:
            event = "spool is full: requests are dropped" if full else "spool has room again"
            _log.warning(f"prediction log: {event}", extra={"used": self.used, "budget": self._budget})
        self.full = full
        self._show(self.used, full)


class Shipper:
    """Ships this server's segments, and those of dead writers that shared the spool.

    Args:
        spool: The shared folder.
        own: This server's folder in it.
        store: Where to.
        room: Told when the disk got free.
    """

    def __init__(self, spool: Path, own: WriterFolder, store: Store, room: Room) -> None:
        self._spool, self._own, self._store, self._room = spool, own, store, room
        self._wake = threading.Event()
        self._deadline: float | None = None
        self._failures, self._retry_at, self._looked_at = 0, 0.0, -_LOOK_SECONDS
        self.shipped = 0
        self._thread = threading.Thread(target=self._run, name="prediction-log-ship", daemon=True)

    def start(self) -> None:
        """Begin, with what dead writers left."""
        self._thread.start()

    def wake(self) -> None:
        """A segment was closed."""
        self._wake.set()

    def finish(self, seconds: float) -> bool:
        """Ship what there is, for so long; whether the thread has ended and everything of ours is shipped."""
        self._deadline = time.monotonic() + seconds
        self._wake.set()
        self._thread.join(seconds + 1)
        return not self._thread.is_alive()

    def _run(self) -> None:
        tries = 0
        while True:
            deadline = self._deadline
            clean = self._round(last=deadline is not None)
            tries += deadline is not None
            if deadline is not None and (clean or tries >= _LAST_TRIES or time.monotonic() >= deadline):
                return
            self._pause(deadline)

    def _pause(self, deadline: float | None) -> None:
        now = time.monotonic()
        if deadline is not None:
            time.sleep(max(0.0, min(0.2, deadline - now)))
            return
        wait = _LOOK_SECONDS if not self._failures else min(_LOOK_SECONDS, max(0.05, self._retry_at - now))
        self._wake.wait(wait)
        self._wake.clear()

    def _round(self, *, last: bool) -> bool:
        """Convert, ship, look for dead writers; whether all of it went well."""
        try:
            self._convert(self._own, dead=False)
            if last or time.monotonic() >= self._retry_at:
                self._ship(self._own)
                if last or time.monotonic() - self._looked_at >= _LOOK_SECONDS:
                    self._recover()
                self._succeeded()
        except Exception as error:  # noqa: BLE001 - whatever the store does, the next try may go better
            self._failed(error)
        with suppress(OSError):  # such as a spool that someone removed
            self._room.measure()
        return not self._failures

    def _convert(self, folder: WriterFolder, *, dead: bool) -> None:
        for kind in KINDS:
            for path in folder.unconverted(kind, dead=dead):
                made = to_parquet(path, folder.ready)
                if dead:
                    size = path.stat().st_size
                    extra = {"writer": folder.writer, "kind": kind, "bytes": size, "kept": made is not None}
                    _log.info("prediction log: recovered a segment", extra=extra)
                path.unlink()

    def _ship(self, folder: WriterFolder) -> None:
        """Send what is converted, in order; what the store has already is done."""
        for kind in KINDS:
            for key, path in folder.shippable(kind):
                self._send(key, path)
                path.unlink()
                self.shipped += 1
                if self._deadline is not None and time.monotonic() >= self._deadline:
                    return

    def _send(self, key: str, path: Path) -> None:
        if path.stat().st_size > _WHOLE_BYTES:
            if not self._store.exists(key):
                self._store.upload(path, key)
            return
        try:
            self._store.write_if(key, path.read_bytes(), None)
        except ConflictError:  # our own earlier try, whose answer was lost: no one else has this writer's id
            return

    def _recover(self) -> None:
        self._looked_at = time.monotonic()
        for folder in dead_writers(self._spool):
            try:
                self._convert(folder, dead=True)
                self._ship(folder)
            except Exception as error:  # noqa: BLE001 - our own log goes on; theirs is tried again
                extra = {"writer": folder.writer, "error": f"{type(error).__name__}: {error}"}
                _log.warning("prediction log: cannot recover yet", extra=extra)
            finally:
                folder.release()

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - spreads tries of many servers, no secret
        wait = min(_LONGEST_WAIT, 0.5 * 2 ** min(self._failures, 10)) * jitter
        self._retry_at = time.monotonic() + wait
        if self._failures == 1:
            known = isinstance(error, EvergreenError)
            text = str(error) if known else f"{type(error).__name__}: {error}"
            _log.warning("prediction log: cannot ship yet", extra={"error": text}, exc_info=not known)

    def _succeeded(self) -> None:
        if self._failures:
            _log.warning("prediction log: ships again", extra={"tries": self._failures})
        self._failures = 0
