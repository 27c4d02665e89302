"""Users on the page: who saw which arm, and averages over users such as CTR with confidence sequences."""

from math import log

from markupsafe import Markup

from evergreen.reports import charts
from evergreen.reports.page import chip, figure, table, text
from evergreen.reports.text import number, percent
from evergreen.rollout.evidence import UserMoments
from evergreen.rollout.report.story import StageStory, Story
from evergreen.rollout.report.words import once
from evergreen.rollout.statistics.means import Comparison, Mean, compare
from evergreen.rollout.statistics.sample_ratio import ALARM, log_e_mismatch
from evergreen.rollout.statistics.sequences import multiplier
from evergreen.rollout.view.units import bounds, change

_ALPHA = 0.05
_NOBODY = UserMoments()


def means(story: Story) -> list[str]:
    """Each metric in each stage that had users in both arms: a forest, and a table."""
    found = [
        (stage, name, comparison)
        for stage in story.live
        for name in sorted(stage.users.metrics)
        if (comparison := _compared(stage, name)) is not None
    ]
    if not found:
        return []
    blocks: list[str] = []
    for name in sorted({name for _, name, _ in found}):
        lanes = [(s, c) for s, n, c in found if n == name and c.relative is not None]
        if lanes:
            blocks.append(_forest(name, lanes))
    margins = {g.event: g.margin for g in story.settings.guardrails.means}
    headers = ["Stage", "Metric", "Users", "Events", "Baseline", "Candidate", "Difference", "Interval",
               "Margin", "Variance taken away"]  # fmt: skip
    rows = [_row(s, n, c, margins.get(n)) for s, n, c in found]
    numeric = set(range(2, 10))
    return [*blocks, table(headers, rows, numeric=numeric, caption="Averages over users")]


def _compared(stage: StageStory, name: str) -> Comparison | None:
    arms = stage.users.metrics[name]
    return compare(arms.get("candidate", _NOBODY), arms.get("baseline", _NOBODY))


def _interval(c: Comparison) -> tuple[float, float] | None:
    return c.interval(multiplier(c.candidate.users + c.baseline.users, _ALPHA))


def _forest(name: str, lanes: list[tuple[StageStory, Comparison]]) -> str:
    values = [100 * (c.relative or 0.0) for _, c in lanes]
    intervals = [_interval(c) for _, c in lanes]
    drawn = [None if i is None else (100 * i[0], 100 * i[1]) for i in intervals]
    title = f"{name}: candidate against baseline, %"
    chart = charts.forest([s.name for s, _ in lanes], values, drawn, title, 0.0)
    return figure(chart, "By user; intervals of 95 % that hold at any time (asymptotic confidence sequence).")


def _row(stage: StageStory, name: str, c: Comparison, margin: float | None) -> list[object]:
    interval = _interval(c)
    return [
        once(stage.name), name, f"{c.baseline.users:,} and {c.candidate.users:,}",
        f"{c.baseline.events:,} and {c.candidate.events:,}", _value(c.baseline), _value(c.candidate),
        "–" if c.relative is None else change(c.relative), bounds(interval, "relative") or "too few",
        "" if margin is None else percent(margin, 0), percent(c.reduction, 0) if c.reduction else "",
    ]  # fmt: skip


def _value(mean: Mean) -> str:
    return percent(mean.value, 2) if mean.value < 1 else number(mean.value)


def exposure(story: Story) -> list[str]:
    """Users by arm against the share that the plan gave, and users who went back."""
    rows: list[list[object]] = []
    switched = 0
    for stage in story.live:
        counts = [stage.users.exposed.get(arm, 0) for arm in ("candidate", "baseline")]
        switched = max(switched, stage.users.switched)
        if not sum(counts):
            continue
        rows.append([once(stage.name), counts[1], counts[0], percent(stage.step.share / 100, 1),
                     percent(counts[0] / sum(counts), 2), _mismatch(stage, counts)])  # fmt: skip
    if not rows:
        return [text("No user was seen by both the router and the prediction log.")] if story.live else []
    headers = ["Stage", "Baseline", "Candidate", "Share by plan", "Share seen", "Sample ratio"]
    blocks: list[str] = [table(headers, rows, numeric={1, 2, 3, 4}, caption="Users by arm")]
    words = (
        f"{switched:,} users saw the baseline after the candidate while the share did not fall."
        if switched
        else "No user went from the candidate back to the baseline while the share did not fall."
    )
    return [*blocks, text(words)]


def _mismatch(stage: StageStory, counts: list[int]) -> Markup:
    share = stage.step.share / 100
    if not 0 < share < 1:
        return chip("skip", "everybody has the candidate")
    bad = log_e_mismatch(counts, (share, 1 - share)) >= log(ALARM)
    return chip("fail", "mismatch") if bad else chip("pass", "as it should be")
