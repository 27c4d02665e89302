"""A program ends at a signal, whatever its main thread is doing at that moment."""

import signal

import pytest

from evergreen.stopping import stop_on_signals


@pytest.fixture
def stop():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield stop_on_signals()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_event(stop, number):
    assert not stop.is_set()
    signal.raise_signal(number)
    assert stop.wait(10)


def test_a_signal_that_comes_while_the_event_is_locked_blocks_nobody(stop):
    """As when a second signal comes while the first one is being handled."""
    with stop._cond:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    assert stop.wait(10)
