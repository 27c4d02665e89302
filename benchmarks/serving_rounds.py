"""What is measured of one server: a run at a rate, and the highest rate that it keeps up with."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.serving_load import Load, Result
from benchmarks.serving_servers import Running, busy_seconds

LATEST = 0.002  # p99 of the generator's own lateness in seconds that a run may have
OTHERS = 0.2  # share of the server's core that others may use
WARM = (100.0, 0.5)  # requests per second, seconds
PATIENCE = 4.0
HIGHEST_P99 = 0.05
ENOUGH = 200  # requests of one run of the search, so that its p99 is more than the slowest one


@dataclass(frozen=True)
class Run:
    """One run at one rate.

    Attributes:
        rate: Requests per second.
        sent: Requests that fell due.
        answered: The share of them that was answered with 200.
        errors: Answers with another status, and lost connections.
        p50: Median latency in ms of all requests; infinite when fewer were answered.
        p99: Likewise.
        slowest: The slowest answer in ms.
        cpu: CPU seconds of the server per 1,000 answered requests, user and system.
        resident: Resident memory of the server in MiB, after the run.
        late: p99 of the generator's own lateness in ms.
        others: The share of the server's core that others used meanwhile.
    """

    rate: float
    sent: int
    answered: float
    errors: int
    p50: float
    p99: float
    slowest: float
    cpu: float
    resident: float
    late: float
    others: float

    @property
    def disturbed(self) -> bool:
        """The generator was late, or others used the server's core: the figures say little."""
        return self.late > 1000 * LATEST or self.others > OTHERS

    @property
    def keeps_up(self) -> bool:
        """Everything was answered, and p99 within 50 ms."""
        return self.answered == 1.0 and self.p99 <= 1000 * HIGHEST_P99


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
        while True:
            done = measure(running, rate, self.seconds, self.core)
            if not done.disturbed or self.repeats < 1:
                return done
            self.repeats -= 1

    def throughput(self, running: Running, guess: float) -> "Throughput":
        """The highest rate with everything answered and p99 within 50 ms."""
        name = running.contender.name

        def attempt(rate: float) -> Run:
            seconds = min(4.0, max(self.seconds / 2, ENOUGH / rate))
            done = measure(running, rate, seconds, self.core, give_up=0.5)
            print(f"{name} at {rate:.0f}/s: p99 {done.p99:.1f} ms", file=sys.stderr, flush=True)
            return done

        return search(attempt, guess, step=self.step)


def measure(
    running: Running, rate: float, seconds: float, core: int, *, give_up: float = float("inf")
) -> Run:
    """One run at one rate."""
    with Load(running.contender.port, running.contender.requests, spin=True) as load:
        load.run(*WARM, patience=1.0)
        busy, cpu, begun = busy_seconds(core), running.cpu_seconds(), time.perf_counter()
        result = load.run(rate, seconds, patience=PATIENCE, give_up=give_up)
        taken = time.perf_counter() - begun
        cpu, busy = running.cpu_seconds() - cpu, busy_seconds(core) - busy
    return _summary(result, rate, cpu, max(0.0, busy - cpu) / taken, running.resident())


def _summary(result: Result, rate: float, cpu: float, others: float, resident: float) -> Run:
    good = len(result.latencies)
    return Run(
        rate, result.sent, result.answered, sum(result.errors.values()) + result.lost,
        1000 * result.quantile(0.5), 1000 * result.quantile(0.99),
        1000 * max(result.latencies, default=float("nan")), 1000 * cpu / good if good else float("nan"),
        resident, 1000 * result.late(), others,
    )  # fmt: skip


@dataclass(frozen=True)
class Throughput:
    """The highest rate that a server kept up with.

    Attributes:
        rate: In requests per second; 0 when it kept up with none.
        cpu: CPU seconds per 1,000 requests at that rate.
        more: It may do more: the generator's end was reached, or a higher rate failed while disturbed.
        runs: Every run of the search.
    """

    rate: float
    cpu: float
    more: bool
    runs: tuple[Run, ...]


def _next(good: float, bad: float) -> float:
    """The rate to try after these."""
    if bad == float("inf"):
        return good * 1.5
    return (good * bad) ** 0.5 if good else bad / 1.5


def search(
    attempt: Callable[[float], Run],
    start: float,
    *,
    step: float = 1.08,
    highest: float = 20_000.0,
    lowest: float = 2.0,
) -> Throughput:
    """Go up or down by half from a first guess, then bisect; a rate has failed when it failed twice.

    Args:
        attempt: Runs at a rate.
        start: The first rate to try.
        step: End when the rate is known within this factor.
        highest: What the generator can do.
        lowest: Where to stop on the way down.
    """
    runs: list[Run] = []

    def passes(rate: float) -> bool:
        for _ in range(2):
            runs.append(attempt(rate))
            if runs[-1].keeps_up:
                return True
        return False

    good, bad, rate = 0.0, float("inf"), min(max(start, lowest), highest)
    while lowest <= rate <= highest and not (good and bad / good <= step):
        if passes(rate):
            good = rate
        else:
            bad = rate
        rate = _next(good, bad)
    cpu = next((r.cpu for r in runs if r.rate == good and r.keeps_up), float("nan"))
    doubtful = bad == float("inf") or all(r.disturbed for r in runs if r.rate == bad)
    return Throughput(good, cpu, doubtful, tuple(runs))
