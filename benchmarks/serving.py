"""The model server beside its peers, under an open-loop load: server on one core, load from another.

    python benchmarks/serving.py [--quick] [--peers all|none|mlserver,fastapi] [--json FILE]

Contenders, each with one worker, single rows, the same scikit-learn pipelines:

- `evergreen`: the model server with validation, metrics and the prediction log.
- `mlserver`, `kserve`, `bentoml`, `fastapi` (with uvicorn): as their documentation shows; in environments of
  their own under `--envs`, made by venv and pip when first needed (versions: benchmarks/serving_world.py).
- `limit`: a bare granian + ONNX Runtime handler without any of that: what the parts can do at best.

Models: imputer, scaler and logistic regression; the same with a random forest of 100 trees. Before a server
is measured, its answers are compared with what its model says. Rounds are interleaved: every contender gets
a rate in turn, and the others stand still meanwhile (SIGSTOP); `evergreen` and `limit` have more turns at the
highest one. Latency counts from the moment at which a
request was due, and a request without a good answer is slower than any other. A rate at which less than half
was answered is not exceeded, and one at which not all was answered is not measured again. Then the highest
rate that each keeps up with is searched: everything answered, p99 at most 50 ms. Last, what a shadow that
takes 200 ms does to the clients of the router (`--skip-shadow` leaves it out).

Runs in which the generator was late, or others or the kernel used a core, are repeated, and marked when that
did not help. Nothing here fails for being slow. Needs two cores and Linux.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

if str(Path(__file__).resolve().parent) in sys.path:
    sys.path.remove(str(Path(__file__).resolve().parent))  # its profile.py is not Python's
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import serving_contenders as contenders
from benchmarks import serving_shadow
from benchmarks.serving_contenders import LIMIT, OURS, Contender
from benchmarks.serving_rounds import Bench
from benchmarks.serving_servers import Running, cores, started
from benchmarks.serving_table import Found, as_json, rates_table, summary, throughput_table
from benchmarks.serving_world import MODELS, PEERS, PINS, World, environment_of, make_world, train_peer
from evergreen.serving.ports import free_ports

ENVIRONMENTS = Path.home() / ".cache" / "evergreen-bench" / "serving"


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        models: Which models are served.
        rates: Requests per second.
        rounds: How often every contender gets every rate.
        seconds: How long requests fall due in a run.
        repeats: Disturbed runs to repeat at most, for each model, in the rounds and again in the search.
        step: The throughput is known within this factor.
        shadow_rounds: How often the router's clients are measured with and without a shadow.
        duels: Further rounds of `evergreen` and `limit` alone at the highest rate: what takes the core for
            some milliseconds is in one run's p99 and not in the next one's.
    """

    models: tuple[str, ...]
    rates: tuple[float, ...]
    rounds: int
    seconds: float
    repeats: int
    step: float
    shadow_rounds: int
    duels: int


FULL = Plan(MODELS, (250.0, 500.0, 1000.0), 2, 2.5, 40, 1.1, 6, 14)
QUICK = Plan(("logistic",), (500.0, 1000.0), 1, 1.5, 2, 1.25, 2, 3)


def prepare(names: Sequence[str], root: Path, world: World) -> tuple[dict[str, Any], dict[str, str]]:
    """The peers' environments and models; those that cannot be had, and why."""
    ready, unavailable = {}, {}
    for name in names:
        try:
            python = environment_of(name, root)
            ready[name] = (python, train_peer(name, python, world))
        except (RuntimeError, OSError) as error:
            unavailable[name] = str(error)
    return ready, unavailable


def line_up(world: World, model: str, peers: dict[str, Any]) -> list[Contender]:
    """Every contender for one model."""
    log = world.folder / f"log-{model}" if contenders.has_log() else None
    first, second = free_ports(2)
    listed = [contenders.ours(world, model, first, log), contenders.limit(world, model, second)]
    for name, (python, expected) in peers.items():
        listed.append(contenders.peer(name, python, world, model, free_ports(3), expected[model]))
    return listed


def compete(listed: Sequence[Contender], plan: Plan, bench: Bench) -> Found:
    """Start every contender, measure the rates in interleaved rounds, then search the throughput."""
    found = Found()
    with ExitStack() as stack:
        servers: list[Running] = []
        for contender in listed:
            try:
                servers.append(stack.enter_context(started(contender, bench.core)))
            except RuntimeError as error:
                found.unavailable[contender.name] = str(error)
        found.runs = {(s.contender.name, rate): [] for s in servers for rate in plan.rates}
        for k in range(plan.rounds):
            turned = servers[k % len(servers) :] + servers[: k % len(servers)]
            for rate in plan.rates:
                for server in turned:
                    _one(found, server, rate, bench)
        pair = [server for server in servers if server.contender.name in (OURS, LIMIT)]
        for k in range(plan.duels if len(pair) == 2 else 0):
            for server in pair if k % 2 else reversed(pair):
                _one(found, server, max(plan.rates), bench)
        bench.repeats = plan.repeats
        for server in servers:
            with server.awake():
                found.throughput[server.contender.name] = bench.throughput(
                    server, _guess(found, server, plan)
                )
    return found


def _one(found: Found, server: Running, rate: float, bench: Bench) -> None:
    """One contender's turn at one rate; a peer has none when a lower rate or this one was too much before."""
    name = server.contender.name
    runs = found.runs[name, rate]
    lower = [run for (who, r), done in found.runs.items() if who == name and r < rate for run in done if run]
    hopeless = any(run.answered < 0.5 for run in lower) or any(r is None or r.answered < 1 for r in runs)
    if hopeless and name in PEERS:
        runs.append(None)
        return
    print(f"{name} at {rate:g}/s", file=sys.stderr, flush=True)
    with server.awake():
        runs.append(bench.run(server, rate))


def _guess(found: Found, server: Running, plan: Plan) -> float:
    """A first rate for the search: most of what the CPU time of a request allows."""
    known = [
        found.middle(server.contender.name, rate, "cpu")
        for rate in plan.rates
        if any(found.runs[server.contender.name, rate])
    ]
    usable = [cpu for cpu in known if cpu > 0]
    return 800 / min(usable) if usable else median(plan.rates)


def shadows(world: World, core: int, elsewhere: int, plan: Plan) -> dict[str, Any] | None:
    """The slow shadow; a router that cannot be had ends nothing else."""
    try:
        return serving_shadow.measure(world, core, elsewhere, plan.shadow_rounds, plan.repeats)
    except RuntimeError as error:
        print(f"\nthe slow shadow was not measured: {error}")
        return None


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo")
    names = [x.partition(":")[2].strip() for x in info.read_text().splitlines() if x.startswith("model name")]
    return {"cpu": names[0] if names else "", "cores": os.cpu_count(), "python": platform.python_version()}


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one model, one round, short runs")
    parser.add_argument("--peers", default="all", help=f"all, none, or of {', '.join(PEERS)}")
    parser.add_argument("--model", choices=MODELS, action="append", help="only this model")
    parser.add_argument("--rate", type=float, action="append", help="instead of 250, 500 and 1000 a second")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of one run at one rate")
    parser.add_argument("--envs", type=Path, default=ENVIRONMENTS, help="where the peers' environments are")
    parser.add_argument("--json", type=Path, help="write everything that was measured to this file")
    parser.add_argument("--skip-shadow", action="store_true")
    given = parser.parse_args()
    given.peers = {"all": list(PEERS), "none": []}.get(given.peers, given.peers.split(","))
    if unknown := set(given.peers) - set(PEERS):
        parser.error(f"no such peer: {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}")
    return given


def main() -> None:
    """Measure and print."""
    given = parse()
    plan = QUICK if given.quick else FULL
    chosen = {
        "models": given.model, "rates": given.rate, "rounds": given.rounds, "seconds": given.seconds,
    }  # fmt: skip
    plan = replace(plan, **{k: tuple(v) if isinstance(v, list) else v for k, v in chosen.items() if v})
    server_core, load_core = cores()
    begun = time.monotonic()
    models: dict[str, Found] = {}
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as temporary:
        world = make_world(Path(temporary))
        peers, unavailable = prepare(given.peers, given.envs, world)
        os.sched_setaffinity(0, {load_core})
        print(f"{machine()}; one run: {plan.seconds:g} s, rounds: {plan.rounds}")
        print(f"prediction log of evergreen: {'on' if contenders.has_log() else 'not in this tree yet'}")
        for model in plan.models:
            bench = Bench(server_core, plan.seconds, plan.repeats, plan.step)
            found = models[model] = compete(line_up(world, model, peers), plan, bench)
            found.unavailable |= unavailable
            print(f"\n## {model}\n\n{rates_table(found)}\n\n{throughput_table(found)}\n")
            for name, value in summary(found).items():
                print(f"- {name}: {value:.2f}")
            for name, why in found.unavailable.items():
                print(f"- {name} could not be had: {why}")
            print(found.noise(), flush=True)
        shadow = None if given.skip_shadow else shadows(world, server_core, load_core, plan)
    if shadow:
        print(f"\n## A shadow that takes 200 ms\n\n{serving_shadow.text(shadow)}")
    print(f"\n{(time.monotonic() - begun) / 60:.1f} minutes")
    if given.json:
        settings = {"machine": machine(), "plan": vars(plan), "pins": {name: PINS[name] for name in peers}}
        given.json.write_text(as_json(settings, models, shadow))


if __name__ == "__main__":
    main()
