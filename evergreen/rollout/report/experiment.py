"""The experiment on the page: looks between their bounds, and who won."""

from evergreen.reports import charts as charts_of
from evergreen.reports.page import chip, figure, note, table
from evergreen.reports.text import number, percent
from evergreen.rollout.outcome import MetricOutcome, Outcome, outcome_of
from evergreen.rollout.report import charts
from evergreen.rollout.report.story import StageStory, Story
from evergreen.rollout.view.units import bounds, change

_WORDS = {
    "candidate": ("pass", "The candidate won."),
    "baseline": ("fail", "The baseline won: the candidate is worse."),
    "none": ("info", "No winner: the looks that were taken do not tell the arms apart."),
}


def experiments(story: Story) -> list[str]:
    """Every experiment that was entered."""
    return [
        block
        for stage in story.stages
        if stage.stage is not None and stage.stage.kind == "experiment"
        for block in experiment(stage)
    ]


def experiment(story: StageStory) -> list[str]:
    """One experiment: its winner, a chart of z by look, what each metric came to, the looks."""
    stage = story.stage
    assert stage is not None
    if not stage.success:
        return [note("The experiment has no success metric.", "warn")]
    outcome = outcome_of(stage, story.looks)
    kind, words = _WORDS[outcome.winner] if outcome.taken else ("info", "No look was taken.")
    need = (
        "better than the baseline"
        if stage.require == "better"
        else f"not worse by {percent(stage.margin, 0)}"
    )
    taken = f"{outcome.taken} of {stage.looks} looks were taken"
    told = f"{words} Required: {need}, on every success metric; {taken}."
    series = {m.name: m.points for m in outcome.metrics if m.points}
    blocks: list[str] = [
        note(told, kind),
        figure(
            charts.looks(series, outcome.bounds, "z at each look, between the bounds"),
            "Above the upper bound the candidate is better, below the lower one it is worse; bounds as "
            f"O'Brien and Fleming's, for a chance of {percent(stage.alpha, 0)} in all.",
        ),
    ]
    blocks += [chart for m in outcome.metrics if (chart := _forest(story, m.name))]
    rows = [_metric(m) for m in outcome.metrics]
    headers = ["Success metric", "Counted by", "Better is", "Result", "Difference", "Interval", "z"]
    blocks.append(table(headers, rows, numeric={4, 5, 6}, caption="Success metrics"))
    if story.looks:
        blocks.append(_looks(story, outcome))
    return blocks


def _forest(story: StageStory, name: str) -> str:
    """The difference at each look, with the interval of that look's bound."""
    found = [look for look in story.looks if f"relative {name}" in look]
    if not found:
        return ""
    labels = [f"{look['users']:,.0f} users" for look in found]
    values = [100 * look[f"relative {name}"] for look in found]
    intervals = [
        (100 * look[f"low {name}"], 100 * look[f"high {name}"])
        if f"low {name}" in look and f"high {name}" in look
        else None
        for look in found
    ]
    title = f"{name}: candidate against baseline, %"
    return figure(charts_of.forest(labels, values, intervals, title, 0.0), "Intervals at each look's bound.")


def _metric(m: MetricOutcome) -> list[object]:
    kind = {"better": "pass", "not worse": "pass", "worse": "fail", "much worse": "fail"}.get(
        m.result, "skip"
    )
    return [
        m.name, m.metric.per, m.metric.better, chip(kind, m.result),
        "–" if m.relative is None else change(m.relative), bounds(m.interval, "relative"),
        m.points[-1][1] if m.points else None,
    ]  # fmt: skip


def _looks(story: StageStory, outcome: Outcome) -> str:
    rows: list[list[object]] = []
    for number_, look in enumerate(story.looks):
        for m in outcome.metrics:
            relative = look.get(f"relative {m.name}")
            rows.append(
                [
                    number_ + 1, int(look["users"]), m.name, look.get(f"z {m.name}"),
                    f"±{number(outcome.bounds[number_][1])}", "–" if relative is None else change(relative),
                ]
            )  # fmt: skip
    headers = ["Look", "Users", "Success metric", "z", "Bound", "Difference"]
    return table(headers, rows, numeric={0, 1, 3, 4, 5}, caption="Looks of the experiment")
