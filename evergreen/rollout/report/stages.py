"""The course of a rollout on its page: key figures, shares over time, every stage with what ended it."""

from markupsafe import Markup

from evergreen.reports import charts as charts_of
from evergreen.reports.page import figure, table, tiles
from evergreen.reports.text import number, seconds
from evergreen.rollout.report import charts
from evergreen.rollout.report.story import StageStory, Story
from evergreen.rollout.report.words import moment, once
from evergreen.rollout.view.facts import arms_of, phase_words
from evergreen.rollout.view.lines import served

_TOLD = frozenset({"promoted", "started", "soaking", "finishing", "launched", "rolling back", "held",
                   "paused", "resumed", "dead man", "launching"})  # fmt: skip
_MOST_MARKS = 60


def result(story: Story) -> list[str]:
    """Key figures."""
    record = story.record
    over = record.since if record.ended else story.now
    requests = sum(arms_of(s.step)[1].requests for s in story.stages)
    copies = sum(s.step.mirrored for s in story.stages)
    users = max((s.users.exposed.get("candidate", 0) for s in story.live), default=0)
    figures: dict[str, object] = {
        "Versions": (f"{record.baseline or '–'} → {record.candidate}", record.model),
        "Phase": (phase_words(record), f"by {record.by}"),
        "Took" if record.ended else "Under way for": (seconds(over - record.created), moment(record.created)),
        "Users get": served(record.plan),
        "Requests to the candidate": (requests, f"and {copies:,} copies"),
    }
    if users:
        figures["Users with the candidate"] = (users, "in one stage, at most")
    return [tiles(figures)]


def course(story: Story) -> list[str]:
    """Shares over time, the stages' lanes, and a table of them."""
    record = story.record
    if not story.events:
        return []
    end = record.since if record.ended else max(story.now, story.events[-1].at)
    marks = [
        (e.at, e.what, f"{moment(e.at)} {e.what}: {e.reason}")
        for e in story.events if e.what in _TOLD and e.at <= end
    ][-_MOST_MARKS:]  # fmt: skip
    moments = [m for m in story.moments if m.at <= end]
    blocks: list[str] = [
        figure(
            charts.shares(moments, end, marks, "Who got the candidate"),
            "Time since the rollout was begun; a dot for each event, its reason on hover.",
        )
    ]
    if story.stages:
        blocks.append(_requests(story))
    if story.stages:
        blocks.append(_lanes(story, end))
        blocks.append(_table(story, end))
    return blocks


def _requests(story: Story) -> Markup:
    arms = [arms_of(s.step) for s in story.stages]
    series = {
        "baseline": [float(b.requests) for b, _ in arms],
        "candidate": [float(c.requests) for _, c in arms],
        "copies": [float(s.step.mirrored) for s in story.stages],
    }
    names = [s.name for s in story.stages]
    return figure(charts_of.histogram(names, series, "Requests by stage"), "As the routers counted them.")


def _lanes(story: Story, end: float) -> Markup:
    begin = story.record.created
    whole = max(end - begin, 1e-3)
    rows = Markup("").join(_lane(s, begin, whole, end, story) for s in story.stages)
    return Markup('<div class="gantt">{}</div>').format(rows)


def _lane(stage: StageStory, begin: float, whole: float, end: float, story: Story) -> Markup:
    until = stage.ended if stage.ended is not None else end
    kind = "pass"
    if stage is story.stages[-1] and story.record.phase != "launched":
        kind = "fail" if story.record.ended or story.record.phase == "rolling_back" else "warn"
    words = f"{stage.name}: {moment(stage.began)}, for {seconds(until - stage.began)}"
    return Markup(
        '<div class="{}"><span class="name">{}</span>'
        '<span class="track" role="img" aria-label="{}" title="{}"><i style="left:{}%;width:{}%"></i></span>'
        '<span class="time">{}</span></div>'
    ).format(
        kind, stage.name, words, words, f"{100 * (stage.began - begin) / whole:.2f}",
        f"{100 * max(0.0, until - stage.began) / whole:.2f}", seconds(until - stage.began),
    )  # fmt: skip


def _table(story: Story, end: float) -> Markup:
    rows = []
    for stage in story.stages:
        baseline, candidate = arms_of(stage.step)
        until = stage.ended if stage.ended is not None else end
        rows.append(
            (
                once(stage.name), once(moment(stage.began)), once(seconds(until - stage.began)),
                number(baseline.requests), number(candidate.requests), number(candidate.fallbacks),
                number(stage.step.mirrored), stage.left or "under way",
            )
        )  # fmt: skip
    headers = ["Stage", "Began (UTC)", "Lasted", "Baseline", "Candidate", "Fallbacks", "Copies",
               "Why it ended"]  # fmt: skip
    return table(headers, rows, numeric={3, 4, 5, 6}, caption="Stages of the rollout")
