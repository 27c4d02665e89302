"""One platform for all fault tests; a table of what every load saw at the end."""

import os
from collections.abc import Iterator

import pytest
from chaos_load import FIGURES
from chaos_world import World

from evergreen.local import platform

_COLUMNS = ("requests", "non-200", "no answer", "sent again", "p50 ms", "p99 ms")


@pytest.fixture(scope="session")
def _platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    before = dict(os.environ)
    world = World(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("files"))
    try:
        world.open()
        yield world
    finally:
        platform.down(world.home)
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def world(_platform: World) -> World:
    """The platform, with the baseline alone; it may be left in any state."""
    return _platform.settled()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what every load saw."""
    if not FIGURES:
        return
    terminalreporter.section("faults under load")
    for row in FIGURES:
        known = "  ".join(f"{name} {row.get(name, 0):>6}" for name in _COLUMNS)
        more = "; ".join(f"{k}: {v}" for k, v in row.items() if k not in (*_COLUMNS, "test"))
        terminalreporter.write_line(f"{row['test']:<34}{known}  {more}".rstrip())
    every = {name: sum(row.get(name, 0) for row in FIGURES) for name in _COLUMNS[:4]}
    terminalreporter.write_line("in all: " + ", ".join(f"{value} {name}" for name, value in every.items()))
