"""Slow work beside the fast loop: each errand runs in a thread, at its own pace, and hands its answer over.

The loop asks and goes on at once. What hangs in an errand (a store that does not answer, a long query) keeps
the loop from nothing but that answer.
"""

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from evergreen import log

_log = log.get(__name__)


@dataclass(frozen=True)
class Answer:
    """What an errand came back with.

    Attributes:
        value: What it returned; None when it failed.
        error: What it raised.
        basis: What it was asked about.
        at: When it came back, by the monotonic clock.
    """

    value: Any
    error: Exception | None
    basis: Hashable
    at: float


class Errands:
    """Errands by key; of one key only one is under way at a time.

    Args:
        threads: How many run at the same time.
    """

    def __init__(self, threads: int = 16) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="errand")
        self._under_way: dict[Hashable, Future[None]] = {}
        self._answers: dict[Hashable, Answer] = {}
        self._lock = threading.Lock()

    def ask(
        self, key: Hashable, work: Callable[[], Any], every: float, basis: Hashable = None
    ) -> Answer | None:
        """The latest answer to this key about this basis, if there is one; asks again when it is time.

        Args:
            key: What is asked.
            work: Finds the answer; called in a thread.
            every: Seconds between an answer and the next question.
            basis: What the answer depends on: an answer about another basis is none; it is asked for at once.
        """
        with self._lock:
            answer, running = self._answers.get(key), self._under_way.get(key)
            fits = answer is not None and answer.basis == basis
            due = not fits or (answer is not None and time.monotonic() - answer.at >= every)
            if due and (running is None or running.done()):
                self._under_way[key] = self._start(key, work, basis)
                answer = self._answers.get(key)  # inline errands have come back already
            return answer if answer is not None and answer.basis == basis else None

    def forget(self, keep: Callable[[Hashable], bool]) -> None:
        """Drop the answers to keys that nobody will ask again."""
        with self._lock:
            for key in [k for k in self._answers if not keep(k)]:
                del self._answers[key]
                self._under_way.pop(key, None)

    def stop(self) -> None:
        """Start nothing more; what hangs is left behind."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, key: Hashable, work: Callable[[], Any], basis: Hashable) -> "Future[None]":
        return self._pool.submit(self._run, key, work, basis)

    def _run(self, key: Hashable, work: Callable[[], Any], basis: Hashable) -> None:
        value, error = None, None
        try:
            value = work()
        except Exception as caught:  # noqa: BLE001 - it is handed over, and the loop decides what it means
            error = caught
            _log.warning("errand failed", extra={"errand": str(key), "error": str(caught)})
        self._answers[key] = Answer(value, error, basis, time.monotonic())


class InlineErrands(Errands):
    """Errands that are run when they are asked for: for tests, and for one look without a loop."""

    def __init__(self) -> None:
        super().__init__(1)

    def _start(self, key: Hashable, work: Callable[[], Any], basis: Hashable) -> "Future[None]":
        self._run(key, work, basis)
        done: Future[None] = Future()
        done.set_result(None)
        return done
