"""What one run of the serving benchmark found, and the search of the highest rate that keeps up."""

from collections.abc import Callable
from dataclasses import dataclass

LATEST = 0.002  # p99 of the generator's own lateness in seconds that a run may have
KERNEL = 0.004  # share of a core that the kernel's threads may take
OTHERS = 0.2  # share of the server's core that others may use
HIGHEST_P99 = 0.05


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
        kernel: The share of one core that the kernel's own threads took. They come in bursts of tens of
            milliseconds, which is all that a p99 is made of.
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
    kernel: float = 0.0

    @property
    def disturbed(self) -> bool:
        """The generator was late, or others used the core: the figures say little."""
        return self.late > 1000 * LATEST or self.others > OTHERS or self.kernel > KERNEL

    @property
    def keeps_up(self) -> bool:
        """Everything was answered, and p99 within 50 ms."""
        return self.answered == 1.0 and self.p99 <= 1000 * HIGHEST_P99


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
    step: float = 1.1,
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
