"""Log lines of requests, at a bounded rate: what is not written is counted, and the count is written."""

import logging
import time
from typing import Any


class BoundedLog:
    """Writes at most so many lines a second.

    Args:
        logger: Where lines go.
        per_second: How many may go there.
        burst: How many may come at once.
    """

    def __init__(self, logger: logging.Logger, per_second: float, burst: int = 1) -> None:
        self._logger, self._gap, self._burst = logger, 1 / per_second, burst
        self._room = time.monotonic() - burst * self._gap  # a line moves it on by the gap, never past now
        self.left_out = 0

    def takes(self) -> bool:
        """Whether a line may be written now; what may not is counted."""
        now = time.monotonic()
        room = max(self._room, now - self._burst * self._gap)
        if room + self._gap > now:
            self.left_out += 1
            return False
        self._room = room + self._gap
        return True

    def write(self, event: str, *, failed: bool = False, **fields: Any) -> None:
        """Write a line for which `takes` said yes, with how many were left out since the last one.

        Args:
            event: What happened.
            failed: Write it as an error, with the trace of the exception that is being handled.
            fields: What else is known.
        """
        left_out, self.left_out = self.left_out, 0
        level = logging.ERROR if failed else logging.INFO
        self._logger.log(level, event, exc_info=failed, extra={**fields, "left_out": left_out})
