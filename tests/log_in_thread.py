"""A prediction log whose writer is a thread of the test: quick to start, and its parts can be reached.

What the thread runs is what the writer's process runs. `tests/services` has the process.
"""

import os
import threading
from pathlib import Path

from evergreen.project.model.serving import PredictionLog
from evergreen.serving.predictions.config import LogConfig
from evergreen.serving.predictions.logger import PredictionLogger
from evergreen.serving.predictions.process import write_log
from evergreen.serving.predictions.ring import Ring
from evergreen.serving.predictions.wire import Catalog
from evergreen.serving.predictions.writer import Writer
from evergreen.storage import Store


class InThread:
    """Writes what is in a queue from a thread."""

    def __init__(self, writer: Writer, ring: Ring, flush: float) -> None:
        self.writer = writer
        inlet, self._outlet = os.pipe()
        os.set_blocking(self._outlet, False)
        work = (writer, ring, flush, inlet, lambda: None)
        self._thread = threading.Thread(target=write_log, args=work, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        os.write(self._outlet, b"!")

    def end(self, seconds: float) -> None:
        os.close(self._outlet)
        self._thread.join(seconds + 5)
        assert not self._thread.is_alive()


def logger_in_thread(
    settings: PredictionLog, model: str, spool: Path, store: Store, salt: str = "salt"
) -> PredictionLogger:
    """A prediction log that ships to an opened store."""

    config = LogConfig(settings=settings, model=model, spool=spool, store=str(store), salt=salt)

    def hand(ring: Ring, catalog: Catalog) -> InThread:
        writer = Writer(config, store, ring, catalog)
        return InThread(writer, ring, settings.flush.total_seconds())

    return PredictionLogger(config, hand)
