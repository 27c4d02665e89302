"""A program's own end: SIGTERM and SIGINT as an event that its loop waits for."""

import signal
import threading


def stop_on_signals() -> threading.Event:
    """An event that is set at SIGTERM or SIGINT; to be called in the main thread.

    A handler runs in the middle of whatever the main thread does, and that may hold the event's lock: it
    waits for the event, or sets it at a signal that came a moment ago. So the handler only starts a thread.
    """
    stop = threading.Event()

    def told(*_: object) -> None:
        threading.Thread(target=stop.set, name="stop", daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    return stop
