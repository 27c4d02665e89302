"""How often the rollout's statistics are wrong, and how soon they are right: simulated rollouts, seeded.

    python -m benchmarks.rollout_simulation [--rollouts 1000] [--only NAME,NAME]

Users are heavy-tailed (1 to 800 requests, a hundredth of them fails always) and keep their arm. Every figure
goes through `evergreen.rollout.judge.judge`, asked every minute as the controller does, except where the name
says `tests alone`. Prints a table; a short version is tests/unit/rollout/test_rollout_judge_simulation.py.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from math import log
from unittest.mock import patch

import numpy as np

from benchmarks.rollout_world import ARMS, Habits, World, activity, sums
from evergreen.project.model.rollout import Rollout
from evergreen.rollout import judge_rates
from evergreen.rollout.evidence import RATES, ArmCounts, Evidence, StepEvidence, UserEvidence
from evergreen.rollout.judge import judge
from evergreen.rollout.judge_findings import Step
from evergreen.rollout.statistics.sample_ratio import ALARM, log_e_mismatch

SHARES = (5, 20, 50, 100)


@dataclass(frozen=True)
class End:
    """How a simulated rollout ended: `roll_back`, `stop`, `promote` (launched) or `hold` (time was up)."""

    kind: str
    stage: int
    requests: int
    windows: int
    reason: str


def settings(**guardrails: object) -> Rollout:
    """Canaries only, ten minutes each at the least."""
    stages = [{"kind": "canary", "share": s, "at_least": "10m"} for s in SHARES]
    return Rollout.model_validate({"stages": stages, "guardrails": guardrails, "soak": "10m"})


def rollout(seed: int, rules: Rollout, habits: Habits, patience: int, forced: bool = False) -> End:
    """One rollout, judged every minute.

    Args:
        seed: Of its users.
        rules: The project's section.
        habits: Of its users.
        patience: Minutes a stage may take.
        forced: Go on after `patience` minutes whatever the evidence says, and only look for harm.
    """
    world, spent, windows = World(seed, habits), 0, 0
    stages = len(rules.stages)
    for stage in range(stages + 1):
        world.begin(stage, SHARES[stage] if stage < stages else 100)
        for k in range(1, patience + 1):
            world.pass_minute()
            windows += 1
            verdict = judge(rules, stage, world.evidence(), 60.0 * k).verdict
            requests = spent + world.totals["candidate"]["requests"]
            if verdict.kind in ("roll_back", "stop"):
                return End(verdict.kind, stage, requests, windows, verdict.reason)
            if verdict.kind == "promote" and not forced:
                break
        else:
            if not forced:
                return End("hold", stage, requests, windows, verdict.reason)
        spent = requests
    return End("promote", stages, spent, windows, "launched")


def rate_tests(
    seed: int, rules: Rollout, habits: Habits, windows: int, rates: tuple[str, ...] = RATES
) -> End:
    """Only the harm tests of the rates, with stages of a fixed length: fast, for long stages."""
    world, spent, seen = World(seed, habits, rates, users_too=False), 0, 0
    for stage, share in enumerate(SHARES):
        world.begin(stage, share)
        for _ in range(windows):
            world.pass_minute()
            seen += 1
            step = Step(rules, Evidence(steps=tuple(world.steps)), stage, 0.0)
            for rate in rates:
                guardrail = getattr(rules.guardrails, rate)
                if judge_rates.log_evidence(step, rate, guardrail)[0] >= -log(step.level):
                    requests = spent + world.totals["candidate"]["requests"]
                    return End("roll_back", stage, requests, seen, rate)
        spent += world.totals["candidate"]["requests"]
    return End("promote", len(SHARES), spent, seen, "")


def experiment(
    seed: int,
    uplift: float,
    require: str = "better",
    users: int = 10_000,
    metrics: int = 1,
    most: float = 800.0,
) -> str:
    """One experiment: users come one by one and go on asking; what it ends with."""
    success = [{"event": f"e{m}"} for m in range(metrics)]
    stage = {
        "kind": "experiment", "users": users, "require": require, "success": success, "at_least": "1m",
        "requests": 1,
    }  # fmt: skip
    off = {"reaction": "off"}
    guardrails = {**dict.fromkeys(RATES, off), "outputs": off}
    rules = Rollout.model_validate({"stages": [stage], "guardrails": guardrails})
    rng = np.random.default_rng(seed)
    n = int(users * 1.02)
    total, mine, come = activity(rng, n, most), rng.random(n) < 0.5, np.arange(n) / n
    own = [rng.beta(2, 18, n) for _ in range(metrics)]
    past = [np.where(rng.random(n) < 0.7, rng.binomial(20, p) / 20, 0.0) for p in own]
    asked, clicked = np.zeros(n), [np.zeros(n) for _ in own]
    counts = {arm: ArmCounts(requests=1000) for arm in ARMS}
    looks: tuple = ()
    before = 0.0
    for at in np.linspace(0.05, 1.0, 20) + rng.uniform(-0.02, 0.0, 20) * (np.arange(20) < 19):
        here = come <= at
        # A user who has come asks at an even pace until the end, and at once when coming.
        span = np.where(here, (at - np.maximum(come, before)) / np.maximum(1 - come, 1e-9), 0.0)
        new = rng.poisson(np.maximum(total - 1, 0) * np.maximum(span, 0)) * here + (here & (come > before))
        asked += new
        metrics_ = {}
        for m, p in enumerate(own):
            clicked[m] += rng.binomial(new.astype(int), np.minimum(p * np.where(mine, 1 + uplift, 1.0), 1.0))
            metrics_[f"e{m}"] = {
                arm: sums(clicked[m][who & here], asked[who & here], past[m][who & here])
                for arm, who in (("candidate", mine), ("baseline", ~mine))
            }
        exposed = {"candidate": int((mine & here).sum()), "baseline": int((~mine & here).sum())}
        evidence = Evidence(
            (StepEvidence(0, 50.0, counts),), UserEvidence(exposed, 50.0, metrics_), looks=looks
        )  # fmt: skip
        judgement = judge(rules, 0, evidence, 3600.0)
        looks, before = judgement.looks, at
        if judgement.verdict.kind != "hold":
            return judgement.verdict.kind
    return "hold"


def mismatch(seed: int, share: float, nominal: float, users: int) -> float:
    """Users until the alarm; infinity for none. Asked at every hundredth user."""
    falls = (np.random.default_rng(seed).random(users) < share).cumsum()
    for n in range(99, users, 100):
        counts = (float(falls[n]), float(n + 1 - falls[n]))
        if log_e_mismatch(counts, (nominal, 1 - nominal)) >= log(ALARM):
            return n + 1
    return float("inf")


def share_of(ends: list[End], *kinds: str) -> float:
    return sum(e.kind in kinds for e in ends) / len(ends)


def requests_to(ends: list[End], *kinds: str) -> float:
    """Median requests by the candidate until it was caught."""
    found = [e.requests for e in ends if e.kind in kinds]
    return float(np.median(found)) if found else float("nan")


CLICK = {"event": "click", "margin": 0.1, "reaction": "hold"}
BUSY = Habits(users=20_000, requests=6000.0)
EVEN = replace(BUSY, most=20)
"""The same with 1 to 20 requests a user, where averages over users can be known."""


def line(name: str, figures: str, wanted: str) -> None:
    print(f"| {name} | {figures} | {wanted} |", flush=True)


def aa_rates(n: int) -> None:
    for minutes, window, harm in (
        (10, 1440, 0.2),
        (60, 1440, 0.2),
        (60, 1440, 0.0),
        (60, 20, 0.2),
        (60, 1, 0.2),
    ):
        rules = settings(**{r: {"harm": harm} for r in RATES})
        many = n if minutes == 10 else n // 2
        ends = [rate_tests(s, rules, Habits(window=window), minutes) for s in range(many)]
        text = f"{100 * share_of(ends, 'roll_back'):.2f} % of {many}"
        name = f"{minutes} minutes a stage, tolerated {harm:g}, window {window} minutes"
        line(f"A/A, four rates (tests alone), {name}", text, "≤ 1 %")


def aa_without_repeats(n: int) -> None:
    """What happens when routers do not count `repeats`."""
    original = World._arm
    unaware = patch.object(World, "_arm", lambda self, arm: replace(original(self, arm), repeats={}))
    with unaware, _without_sketches():
        for window, harm in ((1440, 0.2), (20, 0.2), (1, 0.2), (1, 0.5)):
            rules = settings(**{r: {"harm": harm} for r in RATES})
            ends = [rate_tests(s, rules, Habits(window=window), 60) for s in range(n)]
            text = f"{100 * share_of(ends, 'roll_back'):.2f} % of {n}"
            name = f"60 minutes a stage, tolerated {harm:g}, window {window} minutes"
            line(f"the same by routers that do not count `repeats`, {name}", text, "(shows why)")


def _without_sketches() -> AbstractContextManager[object]:
    return patch.object(World, "_clustered", lambda self, rate: 0)


def aa_routers(n: int) -> None:
    """Several routers, with the sketches by which they know of each other's users, and without."""
    rules = settings(**{r: {"harm": 0.0} for r in RATES})
    for routers in (2, 4, 8):
        habits = Habits(routers=routers)
        ends = [rate_tests(s, rules, habits, 60) for s in range(n)]
        text = f"{100 * share_of(ends, 'roll_back'):.2f} % of {n}"
        line(f"A/A, four rates (tests alone), {routers} routers, tolerated 0", text, "≤ 1 %")
        with _without_sketches():
            ends = [rate_tests(s, rules, habits, 60) for s in range(n)]
        text = f"{100 * share_of(ends, 'roll_back'):.2f} % of {n}"
        line(f"the same by {routers} routers without sketches", text, "(shows why)")


def aa_all(n: int) -> None:
    rules = settings(means=[CLICK])
    ends = [rollout(s, rules, Habits(), 12, forced=True) for s in range(n)]
    text = f"{100 * share_of(ends, 'roll_back', 'stop'):.2f} % of {n}"
    line("A/A, rates, CTR, outputs, sample ratio together, 12 windows a step", text, "≤ 1 %")


def _launched(ends: list[End]) -> str:
    minutes = np.median([e.windows for e in ends if e.kind == "promote"] or [0])
    return f"{100 * share_of(ends, 'promote'):.0f} % launched of {len(ends)}, median {minutes:.0f} minutes"


def good(n: int) -> None:
    ends = [rollout(s, settings(), BUSY, 120) for s in range(n)]
    text = _launched(ends)
    line(
        "a good candidate, 6,000 requests a minute, default guardrails (50 minutes at least)",
        text,
        "all",
    )
    ends = [rollout(s, settings(means=[CLICK]), EVEN, 240) for s in range(max(4, n // 2))]
    text = _launched(ends)
    line("the same with CTR within 10 %, users with 1 to 20 requests", text, "all")


def bad(n: int) -> None:
    cases: tuple[tuple[str, Habits, tuple[str, ...]], ...] = (
        ("errors doubled (1 → 2 %)", replace(BUSY, factor={"errors": 2}), ("roll_back",)),
        ("errors fivefold", replace(BUSY, factor={"errors": 5}), ("roll_back",)),
        ("errors fivefold from minute 45 on", replace(BUSY, factor={"errors": 5}, breaks=45), ("roll_back",)),
        ("every request fails", replace(BUSY, factor={"errors": 100}), ("roll_back",)),
        ("empty outputs tenfold (0.2 → 2 %)", replace(BUSY, factor={"empty_outputs": 10}), ("roll_back",)),
        ("slow answers threefold (1 → 3 %)", replace(BUSY, factor={"latency": 3}), ("roll_back",)),
        ("labels shifted to 40/40/20 %", replace(BUSY, shifted=(0.4, 0.4, 0.2)), ("stop",)),
        ("a tenth of the candidate's users lost", replace(BUSY, bias=0.1), ("stop",)),
    )
    for name, habits, kinds in cases:
        ends = [rollout(s, settings(), habits, 240) for s in range(n)]
        launched = 100 * share_of(ends, "promote")
        text = f"{100 * share_of(ends, *kinds):.0f} % caught of {n}, {launched:.0f} % launched, median "
        line(name, text + f"{requests_to(ends, *kinds):,.0f} requests of the candidate", "always")
    for margin in (0.05, 0.1):
        rules = settings(means=[{**CLICK, "margin": margin}])
        ends = [rollout(s, rules, replace(EVEN, uplift=-0.1), 240) for s in range(n)]
        text = (
            f"{100 * share_of(ends, 'stop'):.0f} % stopped, {100 * share_of(ends, 'hold'):.0f} % held after "
        )
        text += f"4 hours, {100 * share_of(ends, 'promote'):.0f} % launched of {n}, "
        text += f"median {requests_to(ends, 'stop'):,.0f} requests"
        line(f"CTR down 10 %, margin {100 * margin:.0f} %", text, "never launched")


def experiments(n: int) -> None:
    for name, uplift, require, metrics, most in (
        ("A/A", 0.0, "better", 1, 800), ("A/A", 0.0, "better", 1, 20), ("A/A", 0.0, "better", 3, 20),
        ("CTR +5 %", 0.05, "better", 1, 20), ("CTR +10 %", 0.1, "better", 1, 20),
        ("CTR +10 %", 0.1, "better", 1, 800), ("CTR -10 %", -0.1, "better", 1, 20),
        ("A/A", 0.0, "not_worse", 1, 20), ("CTR -5 %, the margin", -0.05, "not_worse", 1, 20),
        ("CTR -15 %", -0.15, "not_worse", 1, 20),
    ):  # fmt: skip
        ends = [experiment(s, uplift, require, metrics=metrics, most=most) for s in range(n)]
        many = f", {metrics} metrics (all must)" if metrics > 1 else ""
        counts = {k: 100 * ends.count(k) / n for k in ("promote", "roll_back", "stop", "hold")}
        text = ", ".join(f"{k} {v:.1f} %" for k, v in counts.items() if v) + f" of {n}"
        wanted = "promote ≤ 5 %" if require == "better" and uplift <= 0 else ""
        wanted = "promote ≤ 5 %" if uplift == -0.05 else wanted
        line(
            f"experiment, 10,000 users (1 to {most} requests), require {require}{many}: {name}", text, wanted
        )


def ratios(n: int) -> None:
    alarms = [mismatch(s, 0.5, 0.5, 100_000) for s in range(n)]
    line(
        "sample ratio 50 %, nothing wrong, 100,000 users",
        f"{100 * np.mean(np.isfinite(alarms)):.2f} % of {n}",
        "≤ 0.1 %",
    )
    found = [mismatch(s, 0.52, 0.5, 100_000) for s in range(n)]
    text = f"{100 * np.mean(np.isfinite(found)):.0f} % of {n}, median {np.median(found):,.0f} users"
    line("sample ratio 52 instead of 50 %", text, "found")


PARTS: dict[str, tuple[Callable[[int], None], float]] = {
    "aa_rates": (aa_rates, 1.0),
    "aa_without_repeats": (aa_without_repeats, 0.1),
    "aa_routers": (aa_routers, 0.3),
    "aa_all": (aa_all, 0.6),
    "good": (good, 0.03),
    "bad": (bad, 0.03),
    "experiments": (experiments, 1.0),
    "ratios": (ratios, 0.3),
}
"""What is simulated, and for which part of the rollouts that were asked for."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rollouts", type=int, default=1000)
    parser.add_argument("--only", default=",".join(PARTS))
    arguments = parser.parse_args()
    line("simulated", "seen", "wanted")
    line("---", "---", "---")
    for name in arguments.only.split(","):
        part, share = PARTS[name]
        begin = time.process_time()
        part(max(4, int(share * arguments.rollouts)))
        print(f"<!-- {name}: {time.process_time() - begin:.0f} s of CPU -->", flush=True)


if __name__ == "__main__":
    main()
