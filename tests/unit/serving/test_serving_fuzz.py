"""10,000 requests that nobody should send: no 5xx, no answer without a reason, no growth of memory."""

import gc
from itertools import pairwise

import psutil
import pytest
from asking import Asker, app_of
from fuzzing import Fuzz

from evergreen.serving.settings import Limits, Policy

WARM_UP, BURST, BURSTS = 2000, 2500, 4


class TakesAll:
    """A prediction log that keeps nothing."""

    def __init__(self) -> None:
        self.written = self.shipped = self.waiting = self.spooled = 0
        self.dropped_by_reason: dict[str, int] = {}

    def record(self, served) -> bool:
        return True

    def record_outcomes(self, outcomes) -> bool:
        return True


@pytest.mark.slow
@pytest.mark.parametrize("policy", [Policy(), Policy("impute", "ignore")], ids=["refuse", "impute"])
def test_fuzzed_requests_give_no_5xx_and_no_leak(bundles, table, policy, caplog):
    caplog.set_level("CRITICAL", logger="evergreen")
    row = {name: values.tolist()[1] for name, values in table(2).items()}
    app = app_of(bundles["binary"], Limits(rows=50, body=100_000), policy, predictions=TakesAll())
    asker, fuzz, statuses = Asker(app), Fuzz(row, 11), {}

    async def burst(count: int) -> None:
        for action, body, headers in fuzz.requests(count):
            got = await asker.asked("POST", f"/v2/models/demo/{action}", body, headers)
            assert got.status < 500, (action, body[:2000], headers)
            if got.status >= 400:
                assert len(got.error) < 2000
            statuses[got.status] = statuses.get(got.status, 0) + 1

    def resident() -> int:
        gc.collect()
        return psutil.Process().memory_info().rss

    asker.runner.run(burst(WARM_UP))
    sizes = [resident()]
    for _ in range(BURSTS):
        asker.runner.run(burst(BURST))
        sizes.append(resident())
    # A leak grows in every burst; the allocator takes its arenas now and then.
    assert min(after - before for before, after in pairwise(sizes)) < 2**19, sizes
    assert min(statuses.get(status, 0) for status in (200, 202, 400)) > 100, statuses
    assert app.in_flight == 0
    assert len(asker.metrics()) < 250, "labels are bounded"
