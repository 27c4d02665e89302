"""Say in a pipeline who won the experiment of a rollout."""

from dataclasses import dataclass

from evergreen.decisions import Decision, Verdict
from evergreen.project.model.rollout import Stage
from evergreen.reports.page import Section, Status, decisions_table, note, page
from evergreen.rollout.outcome import MetricOutcome, Outcome, outcome_of
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.report.archive import decisions_of, record_of
from evergreen.rollout.report.experiment import experiment
from evergreen.rollout.report.story import StageStory, story_of
from evergreen.rollout.tasks.places import Places
from evergreen.rollout.view.units import change


@dataclass(frozen=True)
class Judged:
    """The experiment of a rollout.

    Attributes:
        winner: `candidate`, `baseline` or `none`.
        relative: Candidate over baseline, less 1, of the first success metric at the last look; 0 for none.
        decisions: One record for each success metric, and one about the whole.
        page: The report.
    """

    winner: str
    relative: float
    decisions: tuple[Decision, ...]
    page: str


def judge_experiment(places: Places, rollout: str) -> Judged:
    """Who won, by the looks that the controller took; nothing is looked at anew.

    A rollout without an experiment, or that did not get to it, is no fault: the record says so.

    Args:
        places: The project's.
        rollout: Its id; empty for none.

    Raises:
        NotFoundError: no such rollout.
    """
    name = places.project.name
    if not rollout:
        return _none(name, "there is nothing to roll out: users have this version already")
    record = record_of(places.state, places.store, rollout)
    story = story_of(record, decisions_of(places.store, record), record.heartbeat)
    found = [s for s in story.stages if s.stage is not None and s.stage.kind == "experiment"]
    if not found:
        planned = any(s.kind == "experiment" for s in story.settings.stages)
        why = (
            f"rollout {record.id} did not get to its experiment"
            if planned
            else "no experiment in this project"
        )
        return _none(name, why, rollout)
    return _judged(record, found[-1])


def _judged(record: RolloutRecord, story: StageStory) -> Judged:
    stage = story.stage
    assert stage is not None
    outcome = outcome_of(stage, story.looks)
    decisions = (*(_metric(m, stage, record.id) for m in outcome.metrics), _whole(outcome, stage, record.id))
    relative = outcome.metrics[0].relative if outcome.metrics else None
    status: dict[str, Status] = {"candidate": "pass", "baseline": "warn", "none": "none"}
    text = page(
        f"Experiment of {record.model}",
        [Section("Experiment", experiment(story)), Section("Decisions", [decisions_table(decisions)])],
        subtitle=f"{record.id} · version {record.candidate} against version {record.baseline}",
        status=status[outcome.winner], verdict=decisions[-1].reason,
    )  # fmt: skip
    return Judged(outcome.winner, float(relative or 0.0), decisions, text)


def _metric(m: MetricOutcome, stage: Stage, evidence: str) -> Decision:
    verdicts: dict[str, Verdict] = {
        "better": "pass", "not worse": "pass", "worse": "warn", "much worse": "warn", "open": "skip"
    }  # fmt: skip
    amount = "" if m.relative is None else f", {change(m.relative)}"
    loss = stage.margin if m.metric.better == "lower" else -stage.margin
    return Decision(
        "experiment", m.name, verdicts[m.result], f"{m.name}: {m.result}{amount}",
        0.0 if stage.require == "better" else loss, m.relative, m.interval, mode="warn", evidence=evidence,
    )  # fmt: skip


def _whole(outcome: Outcome, stage: Stage, evidence: str) -> Decision:
    taken = f"{outcome.taken} of {stage.looks} looks"
    if not outcome.taken:
        return Decision(
            "experiment", "winner", "skip", "no look was taken yet", mode="warn", evidence=evidence
        )
    words = {"candidate": "the candidate won", "baseline": "the baseline won", "none": "nobody won"}
    verdict: Verdict = "warn" if outcome.winner == "baseline" else "pass"
    reason = f"{words[outcome.winner]}, after {taken}"
    return Decision("experiment", "winner", verdict, reason, mode="warn", evidence=evidence)


def _none(model: str, reason: str, evidence: str = "") -> Judged:
    decision = Decision("experiment", "winner", "skip", reason, mode="warn", evidence=evidence)
    text = page(
        f"Experiment of {model}", [Section("No experiment", [note(reason[:1].upper() + reason[1:] + ".")])]
    )
    return Judged("none", 0.0, (decision,), text)
