"""Follow a rollout until it ends: a live screen on a terminal, plain lines elsewhere. It only reads."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from evergreen.errors import InputError, NotFoundError, StorageError
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.stores.interface import StateStore
from evergreen.rollout.view.facts import facts_of
from evergreen.rollout.view.lines import face, line_of

if TYPE_CHECKING:
    from rich.console import Console

_PATIENCE = 60.0

Show = Callable[[RolloutRecord, float], None]


def follow(
    state: StateStore,
    record: RolloutRecord,
    show: Show,
    *,
    every: float = 0.5,
    timeout: float | None = None,
    done: Callable[[RolloutRecord], bool] = lambda record: record.ended,
    clock: Callable[[], float] = time.time,
) -> RolloutRecord:
    """Show a rollout again and again, until it is done.

    A store that does not answer for a while is borne; the last record is shown meanwhile, and its age tells.

    Args:
        state: The records.
        record: As it was found.
        show: Called with the record and the time at every look.
        every: Seconds between two looks.
        timeout: Seconds; None: for ever.
        done: When to stop looking.
        clock: Seconds since 1970.

    Returns:
        The record as it was last; not done when the time was over.

    Raises:
        NotFoundError: somebody removed the record.
        StorageError: the store has not answered for a minute.
    """
    begun = heard = time.monotonic()
    while True:
        show(record, clock())
        if done(record):
            return record
        now = time.monotonic()
        left = None if timeout is None else begun + timeout - now
        if left is not None and left <= 0:
            return record
        time.sleep(every if left is None else min(every, left))
        try:
            record, heard = state.read(record.id).record, time.monotonic()
        except NotFoundError:
            raise
        except (StorageError, InputError):
            if time.monotonic() - heard > _PATIENCE:
                raise


@contextmanager
def shown_on(console: "Console | None" = None, plain: bool = False) -> Iterator[Show]:
    """What `follow` shows with: a live screen where the output is a terminal, else lines on every change.

    Args:
        console: Where to; default: standard output.
        plain: Lines even on a terminal.
    """
    from rich.console import Console

    where = console or Console(highlight=False)
    if plain or not where.is_terminal or where.is_dumb_terminal:
        yield lines_to(lambda text: where.print(text, soft_wrap=True, markup=False))
        return
    from rich.live import Live

    from evergreen.rollout.view.screen import screen

    with Live(console=where, auto_refresh=False, transient=False, vertical_overflow="crop") as live:

        def draw(record: RolloutRecord, now: float) -> None:
            live.update(screen(facts_of(record, now), where.width, where.height), refresh=True)

        yield draw


def lines_to(say: Callable[[str], object] = lambda text: print(text, file=sys.stdout, flush=True)) -> Show:
    """Says a line whenever phase, stage, share or verdict has changed."""
    last: list[object] = []

    def show(record: RolloutRecord, now: float) -> None:
        new = face(record)
        if last != [new]:
            last[:] = [new]
            say(line_of(record, now))

    return show
