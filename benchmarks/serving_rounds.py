"""What is measured of one server: a run at a rate, and the highest rate that it keeps up with."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.serving_load import Load, Result
from benchmarks.serving_search import Run, Throughput, search
from benchmarks.serving_servers import Running, busy_seconds, kernel_seconds

WARM = (100.0, 0.5)  # requests per second, seconds
PATIENCE = 4.0
ENOUGH = 200  # requests of one run of the search, so that its p99 is more than the slowest one


@dataclass
class Bench:
    """How runs are made.

    Attributes:
        core: The servers' core.
        seconds: How long requests fall due in a run.
        repeats: How many more disturbed runs may be repeated, so that a busy machine cannot take for ever.
        step: The throughput search ends when it knows the rate within this factor.
    """

    core: int
    seconds: float
    repeats: int
    step: float = 1.08

    def run(self, running: Running, rate: float) -> Run:
        """Warm up, then one run of an awake server; repeated while it was disturbed."""
        return self._repeated(lambda: measure(running, rate, self.seconds, self.core), lambda run: False)

    def _repeated(self, attempt: Callable[[], Run], well: Callable[[Run], bool]) -> Run:
        """A run that went well, or was not disturbed, or the last one that the repeats allow."""
        while True:
            done = attempt()
            if well(done) or not done.disturbed or self.repeats < 1:
                return done
            self.repeats -= 1

    def throughput(self, running: Running, guess: float) -> Throughput:
        """The highest rate with everything answered and p99 within 50 ms."""
        name = running.contender.name

        def attempt(rate: float) -> Run:
            seconds = min(4.0, max(self.seconds / 2, ENOUGH / rate))
            done = self._repeated(
                lambda: measure(running, rate, seconds, self.core, give_up=0.5), lambda run: run.keeps_up
            )
            print(f"{name} at {rate:.0f}/s: p99 {done.p99:.1f} ms", file=sys.stderr, flush=True)
            return done

        return search(attempt, guess, step=self.step)


def measure(
    running: Running, rate: float, seconds: float, core: int, *, give_up: float = float("inf")
) -> Run:
    """One run at one rate."""
    with Load(running.contender.port, running.contender.requests, spin=True) as load:
        load.run(*WARM, patience=1.0)
        busy, kernel = busy_seconds(core), kernel_seconds()
        cpu, begun = running.cpu_seconds(), time.perf_counter()
        result = load.run(rate, seconds, patience=PATIENCE, give_up=give_up)
        taken = time.perf_counter() - begun
        cpu, busy = running.cpu_seconds() - cpu, busy_seconds(core) - busy
        kernel = kernel_seconds() - kernel
    done = _summary(result, rate, cpu, max(0.0, busy - cpu) / taken, running.resident())
    return replace(done, kernel=kernel / taken)


def _summary(result: Result, rate: float, cpu: float, others: float, resident: float) -> Run:
    good = len(result.latencies)
    return Run(
        rate, result.sent, result.answered, sum(result.errors.values()) + result.lost,
        1000 * result.quantile(0.5), 1000 * result.quantile(0.99),
        1000 * max(result.latencies, default=float("nan")), 1000 * cpu / good if good else float("nan"),
        resident, 1000 * result.late(), others,
    )  # fmt: skip
