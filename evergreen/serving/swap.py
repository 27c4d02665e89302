"""Hot swap: follow a registry's alias, load a new version beside the old one, then answer with it.

Nothing waits for the swap: requests at work keep the version that they began with, which is freed when the
last of them is answered. A version that cannot be loaded leaves the old one serving.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from evergreen import log
from evergreen.errors import EvergreenError, InputError
from evergreen.serving.app import App
from evergreen.serving.load import in_thread, load
from evergreen.serving.model import ServedModel
from evergreen.serving.settings import Policy

_log = log.get(__name__)
_FIRST_WAIT, _LONGEST_WAIT = 30.0, 900.0


@dataclass(frozen=True)
class Source:
    """Where versions come from.

    Attributes:
        current: The version that the alias stands at; 0 for none.
        load: Loads, verifies and warms up a version.
    """

    current: Callable[[], int]
    load: Callable[[int], ServedModel]


def registry_source(ref: str, store: str, max_rows: int, policy: Policy) -> Source:
    """The versions that an alias of a registry stands at.

    Raises:
        InputError: when `ref` names a version, which never moves.
    """
    from evergreen.registry import Registry
    from evergreen.registry.refs import parse_ref
    from evergreen.storage import open_store

    parsed = parse_ref(ref)
    if parsed.version:
        raise InputError(
            ref, "names a version, which never moves", f"an alias such as {parsed.name}@baseline"
        )
    registry = Registry(open_store(store))
    return Source(
        lambda: registry.aliases(parsed.name).get(parsed.alias, 0),
        lambda version: load(f"{parsed.name}@{version}", store, max_rows, policy),
    )


@dataclass
class Failure:
    """A version that could not be loaded, and when to try again."""

    version: int
    retry_at: float
    wait: float


class Follower:
    """Keeps a server on the version that an alias stands at.

    Args:
        app: The server.
        source: Where versions come from.
        seconds: How often to look; None looks only when asked to (`look_now`).
    """

    def __init__(self, app: App, source: Source, seconds: float | None) -> None:
        self._app, self._source, self._seconds = app, source, seconds
        self._asked = asyncio.Event()
        self._failure: Failure | None = None
        self._unreachable = False

    def look_now(self) -> None:
        """Look at once, and try again a version that could not be loaded."""
        self._failure = None
        self._asked.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), self._seconds)
            self._asked.clear()
            await self.check()

    async def check(self) -> bool:
        """Look where the alias stands, and swap when it has moved; whether it was swapped."""
        version = await self._current()
        served = self._app.model
        if not version or (served is not None and str(version) == served.identity.version):
            self._failure = None
            return False
        failure = self._failure
        if failure and failure.version == version and time.monotonic() < failure.retry_at:
            return False
        try:
            model = await asyncio.wrap_future(
                in_thread(
                    lambda: self._source.load(version), f"{self._app.name}@{version} could not be loaded"
                )
            )
        except EvergreenError as error:
            self._failed(version, error)
            return False
        self._failure = None
        before = served.identity.version if served else ""
        self._app.serve(model)
        self._app.metrics.swapped("swapped")
        _log.info("swapped", extra={"model": self._app.name, "version": version, "before": before})
        return True

    async def _current(self) -> int:
        """Where the alias stands; 0 when that cannot be seen, which is logged once."""
        try:
            version = await asyncio.wrap_future(
                in_thread(self._source.current, "the registry cannot be read")
            )
        except EvergreenError as error:
            if not self._unreachable:
                _log.warning("registry cannot be read", extra={"model": self._app.name, "error": str(error)})
            self._unreachable = True
            return 0
        self._unreachable = False
        return version

    def _failed(self, version: int, error: EvergreenError) -> None:
        known = self._failure
        again = known is not None and known.version == version
        wait = min(_LONGEST_WAIT, 2 * known.wait) if known and again else _FIRST_WAIT
        self._failure = Failure(version, time.monotonic() + wait, wait)
        self._app.metrics.swapped("failed")
        _log.error(
            "version not loaded; the old one serves on",
            extra={"model": self._app.name, "version": version, "error": str(error), "retry_seconds": wait},
        )
