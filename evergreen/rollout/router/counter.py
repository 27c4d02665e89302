"""From the access log to numbered buckets: read, count, write down, set aside."""

import asyncio
import time
from collections.abc import Callable

import msgspec

from evergreen import log
from evergreen.rollout.router.access import read_line
from evergreen.rollout.router.admin import Admin
from evergreen.rollout.router.bootstrap import Files
from evergreen.rollout.router.journal import Entry, Journal, encoded
from evergreen.rollout.router.logs import Logs
from evergreen.rollout.router.metrics import Metrics
from evergreen.rollout.router.tally import Harmed, Tally

_log = log.get(__name__)
_ROTATE_SECONDS = 2.0
_ROTATE_BYTES = 8 * 1024 * 1024


class Counter:
    """Counts one router's requests.

    Args:
        name: The router's id.
        files: The router's files.
        salt: For the keys of users.
        metrics: Where counts are shown too.
        live: The names of the logs that are being written.
    """

    def __init__(
        self, name: str, files: Files, salt: str, metrics: Metrics, live: Callable[[], frozenset[str]]
    ) -> None:
        self._name, self._files, self._metrics, self._live = name, files, metrics, live
        self._journal = Journal(files.folder / "evidence.jsonl")
        self._logs = Logs(files.log, self._journal.last)
        self._tally = Tally(salt, Harmed(self._journal.harmed))
        self._journal.harmed.clear()
        self._pending: Entry | None = None
        self._rotated = time.monotonic()

    async def tick(self, admin: Admin | None) -> bool:
        """Count what is new; with an admin page, set aside logs that were counted.

        Returns:
            Whether there was anything.

        Raises:
            StorageError: the disk is full; what was counted is kept, and written the next time.
        """
        found = await self._count()
        self._tally.forget(time.time())
        await asyncio.to_thread(self._journal.compact, self._tally.harmed.all())
        if admin is not None:
            await asyncio.to_thread(self._rotate, admin)
        await asyncio.to_thread(self._remove)
        return found

    def evidence(self, after: int) -> bytes:
        """The buckets after a number, as JSON: router, first and last number that is kept, buckets."""
        journal = self._journal
        head = {"router": self._name, "first": journal.first, "last": journal.last.seq}
        return msgspec.json.encode({**head, "buckets": msgspec.Raw(journal.after(after))})

    def close(self) -> None:
        """Let go of the journal."""
        self._journal.close()

    async def _count(self) -> bool:
        """Read, count, write down; a line is counted for others to see only once it is written down."""
        if self._pending is None:
            chunks = await asyncio.to_thread(self._logs.read)
            if not chunks:
                return False
            for chunk in chunks:
                for text in chunk.lines:
                    line = read_line(text)
                    if line is None:
                        self._metrics.unreadable.inc()
                    else:
                        self._metrics.request(line, self._tally.add(line))
            self._logs.done(chunks)
            buckets = self._tally.take(self._name, self._journal.last.seq)
            harmed, self._tally.harmed.new = tuple(self._tally.harmed.new), []
            where = self._logs.entry(self._journal.last.seq + len(buckets))
            self._pending = Entry(
                where.seq, where.positions, where.rotations, (), encoded(buckets), harmed
            )  # fmt: skip
        await asyncio.to_thread(self._journal.append, self._pending)
        self._pending = None
        return True

    def _rotate(self, admin: Admin) -> None:
        """Set aside what users' names are in; Envoy opens a new log."""
        live, sizes = self._live(), self._logs.sizes()
        due = time.monotonic() - self._rotated > _ROTATE_SECONDS
        for name in sorted(live & sizes.keys()):
            if sizes[name] > _ROTATE_BYTES or (due and sizes[name] > 0):
                entry = self._logs.move(name, self._journal.last.seq)
                self._journal.append(entry)
                self._logs.moved(entry)
                self._rotated = time.monotonic()
                sizes.pop(name)
        if live - sizes.keys():
            admin.reopen_logs()

    def _remove(self) -> None:
        over = self._logs.finished(self._live())
        if over:
            self._logs.drop(over)
            self._journal.append(self._logs.entry(self._journal.last.seq))
            self._logs.remove(over)
