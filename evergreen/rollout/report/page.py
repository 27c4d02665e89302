"""The page of a rollout."""

from collections.abc import Mapping, Sequence
from typing import Any

from evergreen.reports.page import Section, page
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.report import experiment, pairs, people, rates, records, stages
from evergreen.rollout.report.story import story_of
from evergreen.rollout.report.words import banner, moment


def rollout_page(
    record: RolloutRecord, decisions: Sequence[Mapping[str, Any]] = (), now: float | None = None
) -> str:
    """A self-contained page: verdict, course, evidence, experiment, decisions, events, the way back.

    Args:
        record: The rollout as it stands, or ended.
        decisions: As `evergreen.rollout.report.archive.decisions_of` reads them; without them the page tells
            what the record itself knows.
        now: Seconds since 1970, for a rollout that goes on; default: when a controller last looked.
    """
    at = now if now is not None else max(record.heartbeat, record.since)
    story = story_of(record, decisions, at)
    status, verdict = banner(record)
    sections = [
        Section("Result", stages.result(story)),
        Section("Course", stages.course(story)),
        Section("Bad requests", rates.rates(story)),
        Section("Latency", rates.latency(story)),
        Section("Shadow and dark", pairs.pairs(story)),
        Section("Answers", pairs.outputs(story)),
        Section("Experiment", experiment.experiments(story)),
        Section("Averages over users", people.means(story)),
        Section("Who saw what", people.exposure(story)),
        Section("Checks of the last verdict", records.checks(story)),
        Section("Decisions", records.decisions(story)),
        Section("Events", records.events(story)),
        Section("The way back", records.way_back(story)),
    ]
    subtitle = (
        f"{record.id} · version {record.candidate} against version {record.baseline} · as of {moment(at)} UTC"
    )
    return page(f"Rollout of {record.model}", sections, subtitle=subtitle, status=status, verdict=verdict)
