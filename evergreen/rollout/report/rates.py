"""Rates of bad requests by stage with their intervals, and both arms' latency."""

from collections.abc import Sequence
from functools import reduce

from evergreen.project.model.rollout import RateGuardrail
from evergreen.reports import charts
from evergreen.reports.page import figure, table, text
from evergreen.reports.text import number, seconds
from evergreen.rollout.evidence import LATENCY_EDGES, RATES, ArmCounts, added
from evergreen.rollout.judge_rates import bad_events
from evergreen.rollout.report.story import StageStory, Story
from evergreen.rollout.report.words import RATE_NAMES, once
from evergreen.rollout.statistics.rates import interval, relative
from evergreen.rollout.view.facts import arms_of
from evergreen.rollout.view.latency import quantile
from evergreen.rollout.view.units import bounds, change, rate

_ALPHA = 0.05
_SHOWN = 20.0
_NONE = ArmCounts()


def rates(story: Story) -> list[str]:
    """For each rate a forest of the stages with both arms, and one table of them all."""
    stages = [s for s in story.live if 0 < s.step.share < 100]
    blocks: list[str] = []
    rows: list[list[object]] = []
    none = [name for name in RATES if not _any(story, name)]
    for name in [n for n in RATES if n not in none]:
        guardrail: RateGuardrail = getattr(story.settings.guardrails, name)
        blocks += _forest(name, guardrail, stages)
        rows += [_row(name, guardrail, stage) for stage in story.live]
    headers = ["Stage", "Rate", "Baseline", "Candidate", "Difference", "Interval", "Tolerated"]
    if none and story.live:
        blocks.append(text(f"None in any stage: {', '.join(RATE_NAMES[n].lower() for n in none)}."))
    if rows:
        blocks.append(table(headers, rows, numeric={2, 3, 4, 5, 6}, caption="Rates of bad requests by stage"))
    return blocks


def _any(story: Story, name: str) -> bool:
    return any(arm.events.get(name, 0) for s in story.live for arm in s.step.arms.values())


def compared(stage: StageStory, name: str) -> tuple[float | None, tuple[float, float] | None]:
    """The candidate's rate over the baseline's less 1, and its anytime-valid interval; None for not known."""
    if not 0 < stage.step.share < 100:
        return None, None
    arms = [bad_events(stage.step, name)]
    ratio, (low, high) = relative(arms), interval(arms, _ALPHA)
    shown = (low - 1, high - 1) if low > 0 or high < float("inf") else None
    return (None if ratio is None else ratio - 1), shown


def _forest(name: str, guardrail: RateGuardrail, stages: Sequence[StageStory]) -> list[str]:
    found = [(s, *compared(s, name)) for s in stages]
    drawn = [(s, value, bound) for s, value, bound in found if value is not None]
    if not drawn:
        return []
    labels = [s.name for s, _, _ in drawn]
    values = [min(100 * v, 100 * _SHOWN) for _, v, _ in drawn]
    intervals = [_drawable(bound) for _, _, bound in drawn]
    title = f"{RATE_NAMES[name]}: candidate against baseline, %"
    tolerated = (
        f"tolerated up to +{100 * guardrail.harm:g} %" if guardrail.reaction != "off" else "not guarded"
    )
    words = f"Intervals of 95 % that hold at any time; {tolerated}, else {_reaction(guardrail)}."
    return [figure(charts.forest(labels, values, intervals, title, 0.0), words)]


def _reaction(guardrail: RateGuardrail) -> str:
    return guardrail.reaction.replace("_", " ")


def _drawable(bound: tuple[float, float] | None) -> tuple[float, float] | None:
    """In percent, and cut off where a chart could show nothing else beside it."""
    return None if bound is None else (100 * bound[0], 100 * min(bound[1], _SHOWN))


def _row(name: str, guardrail: RateGuardrail, stage: StageStory) -> list[object]:
    baseline, candidate = arms_of(stage.step)
    value, bound = compared(stage, name)
    return [
        once(stage.name), once(RATE_NAMES[name]), _counted(baseline, name), _counted(candidate, name),
        "" if value is None else change(value), bounds(bound, "relative"),
        f"+{100 * guardrail.harm:g} %",
    ]  # fmt: skip


def _counted(arm: ArmCounts, name: str) -> str:
    count = arm.events.get(name, 0)
    return f"{rate(count, arm.requests)} ({number(count)} of {number(arm.requests)})" if arm.requests else "–"


def latency(story: Story) -> list[str]:
    """Both arms' latency as the routers saw it, over all stages in which users saw the candidate."""
    stages = story.live or story.stages
    arms = {
        arm: reduce(added, (s.step.arms.get(arm, _NONE) for s in stages), _NONE)
        for arm in ("baseline", "candidate")
    }
    known = {arm: counts.latency for arm, counts in arms.items() if sum(counts.latency)}
    if not known:
        return []
    first, last = _span(list(known.values()))
    labels = [f"≤ {_edge(e)}" for e in LATENCY_EDGES] + [f"> {_edge(LATENCY_EDGES[-1])}"]
    series = {arm: [100 * c / sum(counts) for c in counts[first : last + 1]] for arm, counts in known.items()}
    rows = [
        (f"{100 * q:g} %", *(_quantile(counts, q) for counts in known.values())) for q in (0.5, 0.9, 0.99)
    ]
    slo = story.settings.guardrails.latency.slo.total_seconds()
    return [
        figure(
            charts.histogram(labels[first : last + 1], series, "Requests by latency, %"),
            f"At the router, with the way to the server and back; slower than {_edge(slo)} counts as slow.",
        ),
        figure(
            charts.histogram([s.name for s in stages], _tails(stages, list(known)), "99 of 100 within, ms"),
            "By stage; beyond the last edge of 5 s nothing is drawn.",
        ),
        table(["of the requests within", *known], rows, numeric={1, 2}, caption="Quantiles of latency"),
    ]


def _edge(value: float) -> str:
    return f"{1000 * value:g} ms" if value < 1 else f"{value:g} s"


def _tails(stages: Sequence[StageStory], arms: Sequence[str]) -> dict[str, list[float]]:
    return {
        arm: [1000 * (quantile(s.step.arms.get(arm, _NONE).latency, 0.99) or 0.0) for s in stages]
        for arm in arms
    }


def _span(counts: Sequence[Sequence[int]]) -> tuple[int, int]:
    """The first and the last bin that any of them has anything in."""
    used = [i for i in range(len(counts[0])) if any(c[i] for c in counts)]
    return used[0], used[-1]


def _quantile(counts: Sequence[int], share: float) -> str:
    value = quantile(counts, share)
    if value is None:
        return "–"
    return f"> {seconds(LATENCY_EDGES[-1])}" if value == float("inf") else seconds(value)
