"""What a slow shadow does to the clients of the router: Envoy as `evergreen.rollout.router` configures it.

Envoy, the agent beside it and the model server share the server's core; the shadows run on the load's, which
does not spin here, as they run on another machine: on the same core they would take the processor from what
they are copies of. Three plans take turns: no copies, copies of all requests to a shadow that answers at
once, and to one that takes 200 ms. Between the first two lies what copying costs Envoy; between the first and
the last also the shadow's slowness.
"""

import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from benchmarks import serving_contenders as contenders
from benchmarks.serving_contenders import Contender
from benchmarks.serving_load import Load, quantile
from benchmarks.serving_search import LATEST, OTHERS
from benchmarks.serving_servers import (
    Running,
    busy_seconds,
    check_answers,
    cpu_seconds,
    family,
    launched,
    started,
    with_port,
)
from benchmarks.serving_table import number, table
from benchmarks.serving_world import HERE, World
from evergreen.rollout.plan import RoutePlan, Target
from evergreen.rollout.router.client import RouterClient, RouterUnreachable
from evergreen.serving.ports import free_ports

RATE, SECONDS = 300.0, 2.5
SHADOWS = {"no copies": None, "prompt shadow": 0.0, "slow shadow": 0.2}  # seconds that an answer takes
READY_SECONDS = 30.0


@dataclass(frozen=True)
class Bed:
    """Router, server and shadows, all started.

    Attributes:
        client: The router's agent.
        asked: The model server as clients reach it: through the router.
        baseline: Where it listens itself.
        shadows: Where each plan's shadow listens.
        core: The core that router and server share.
        server: The model server.
        parts: The router's processes.
    """

    client: RouterClient
    asked: Contender
    baseline: str
    shadows: dict[str, int]
    core: int
    server: Running
    parts: list[subprocess.Popen[bytes]]

    def others(self) -> float:
        """Seconds that the core was used so far by whatever does not belong here, but for a constant."""
        own = [member for part in self.parts for member in family(part)]
        return busy_seconds(self.core) - cpu_seconds([*own, *self.server.processes])

    def route(self, name: str, generation: int) -> None:
        """Have the router copy to this shadow, or to none, and wait until Envoy does."""
        place = self.shadows.get(name)
        candidate = Target(generation + 1, (f"127.0.0.1:{place}",)) if place else None
        plan = RoutePlan(
            "bench", "benchmark", generation, Target(1, (self.baseline,)), candidate,
            mirror=100.0 if candidate else 0.0, salt="benchmark", dead_man=0.0,
        )  # fmt: skip
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                if self.client.put_plan(plan).applied:
                    return
            except RouterUnreachable:
                pass
            time.sleep(0.1)
        raise RuntimeError("the router has not taken the plan")

    def copies(self, name: str) -> int:
        """How many requests this plan's shadow has seen."""
        if name not in self.shadows:
            return 0
        connection = http.client.HTTPConnection("127.0.0.1", self.shadows[name], timeout=5)
        connection.request("GET", "/")
        count = int(connection.getresponse().read())
        connection.close()
        return count


@dataclass
class Seen:
    """What clients saw under one plan.

    Attributes:
        latencies: Of every round, in seconds.
        failed: Requests without a good answer.
        sent: Requests.
        copied: How many of them the shadow got.
        disturbed: Rounds in which the generator was late, or others used the core.
    """

    latencies: list[list[float]] = field(default_factory=list)
    failed: int = 0
    sent: int = 0
    copied: int = 0
    disturbed: int = 0

    def pooled(self, share: float) -> float:
        """A quantile of all rounds together, in ms."""
        return 1000 * quantile([s for part in self.latencies for s in part], share)


def measure(world: World, core: int, elsewhere: int, rounds: int, repeats: int) -> dict[str, Any]:
    """Start everything, measure the plans in turn, and compare.

    Args:
        world: The models.
        core: Where router and server run.
        elsewhere: The shadows' core, and the load's.
        rounds: How often each plan has its turn.
        repeats: How many disturbed turns may be repeated.

    Raises:
        RuntimeError: a part did not start, or the router does not route.
    """
    seen = {name: Seen() for name in SHADOWS}
    names = list(SHADOWS)
    with _bed(world, core, elsewhere) as bed:
        for k in range(rounds):
            for j, name in enumerate(names[k % 3 :] + names[: k % 3]):
                print(f"router with {name}, round {k + 1}", file=sys.stderr, flush=True)
                bed.route(name, 1 + 3 * k + j)
                if k == 0:
                    check_answers(bed.asked)
                while _turn(bed, name, seen[name], keep_disturbed=repeats < 1):
                    repeats -= 1
    return _summary(seen)


@contextmanager
def _bed(world: World, core: int, elsewhere: int) -> Iterator[Bed]:
    entry, agent, port, *places = free_ports(5)
    model = contenders.ours(world, "logistic", port, world.folder / "log-shadow")
    shadows = dict(zip([n for n, seconds in SHADOWS.items() if seconds is not None], places, strict=True))
    router = (
        sys.executable, "-m", "evergreen.rollout.router", "--listen", f"127.0.0.1:{entry}",
        "--agent", f"127.0.0.1:{agent}", "--folder", str(world.folder / "router"), "--envoy",
        "--workers", "1",
    )  # fmt: skip
    with ExitStack() as stack:
        server = stack.enter_context(stack.enter_context(started(model, core)).awake())
        for name, place in shadows.items():
            command = (sys.executable, str(HERE / "slow_shadow.py"), str(place), str(SHADOWS[name]))
            stack.enter_context(launched(command, elsewhere))
        parts = [stack.enter_context(launched(router, core, model.environment))]
        client = RouterClient(f"http://127.0.0.1:{agent}")
        yield Bed(client, with_port(model, entry), f"127.0.0.1:{port}", shadows, core, server, parts)


def _turn(bed: Bed, name: str, seen: Seen, *, keep_disturbed: bool) -> bool:
    """One turn of a plan; whether it was disturbed and is not kept."""
    with Load(bed.asked.port, bed.asked.requests, spin=False) as load:
        load.run(RATE, 0.5)
        before, others, begun = bed.copies(name), bed.others(), time.perf_counter()
        result = load.run(RATE, SECONDS)
        others = (bed.others() - others) / (time.perf_counter() - begun)
        time.sleep(0.1)
        copied = bed.copies(name) - before
    disturbed = result.late() > LATEST or others > OTHERS
    if disturbed and not keep_disturbed:
        return True
    seen.disturbed += disturbed
    seen.copied += copied
    seen.latencies.append(result.latencies)
    seen.failed += result.failed
    seen.sent += result.sent
    return False


def _summary(seen: dict[str, Seen]) -> dict[str, Any]:
    """Quantiles by plan, and the ratios of the quantiles between plans, round by round and all together."""
    plans = {
        name: {
            "p50": each.pooled(0.5), "p99": each.pooled(0.99), "failed": each.failed, "sent": each.sent,
            "copied": each.copied / each.sent, "disturbed": each.disturbed,
        }
        for name, each in seen.items()
    }  # fmt: skip
    base, *others = SHADOWS
    pairs = [*((other, base) for other in others), (others[-1], others[0])]
    ratios = []
    for name, other in pairs:
        for share in (0.5, 0.99):
            rounds = zip(seen[name].latencies, seen[other].latencies, strict=True)
            found = [quantile(a, share) / quantile(b, share) for a, b in rounds]
            low, _, high = quantiles(found, n=4) if len(found) > 1 else found * 3
            ratios.append({
                "of": f"{name} : {other}", "what": f"p{100 * share:.0f}", "median": median(found),
                "quarter": low, "three_quarters": high,
                "pooled": seen[name].pooled(share) / seen[other].pooled(share),
            })  # fmt: skip
    return {"rate": RATE, "plans": plans, "ratios": ratios}


def text(shadow: dict[str, Any]) -> str:
    """Both tables."""
    header = (f"router at {shadow['rate']:g}/s", "p50 ms", "p99 ms", "not answered", "copied", "")
    plans = [
        [
            name, number(x["p50"], 2), number(x["p99"], 2), f"{x['failed']} of {x['sent']:,}",
            f"{x['copied']:.1%}", f"{x['disturbed']} rounds disturbed" if x["disturbed"] else "",
        ]
        for name, x in shadow["plans"].items()
    ]  # fmt: skip
    head = ("ratio", "", "median of rounds", "middle half", "all rounds together")
    ratios = [
        [
            r["of"], r["what"], number(r["median"], 3),
            f"{number(r['quarter'], 2)} - {number(r['three_quarters'], 2)}", number(r["pooled"], 3),
        ]
        for r in shadow["ratios"]
    ]  # fmt: skip
    return f"{table(header, plans)}\n\n{table(head, ratios)}"
