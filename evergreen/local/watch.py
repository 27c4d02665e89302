"""Processes that run but do not answer: how long ago each was heard, and whether it hangs."""

import time
from collections.abc import Callable

from evergreen.local.state import Running

HANGS_SECONDS = 30.0
START_SECONDS = 300.0


class Watch:
    """Remembers when parts were last heard; by process, so that a part that was started again begins anew."""

    def __init__(self) -> None:
        self._heard: dict[tuple[int, str], float] = {}

    def hangs(self, running: Running, answers: Callable[[], bool], now: float | None = None) -> bool:
        """Whether a part has been silent for so long that it is to be killed.

        One that never answered yet may be coming up: it has more time.

        Args:
            running: The part.
            answers: Whether it says anything now; how well it does is another question.
            now: Seconds since 1970.
        """
        now = time.time() if now is None else now
        who = running.pid, running.born
        if running.ending or answers():
            self._heard[who] = now
            return False
        if now - self._heard.get(who, running.started + START_SECONDS) <= HANGS_SECONDS:
            return False
        self._heard.pop(who, None)
        return True
