"""Decisions and events of a rollout on its page, and the way back."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from evergreen.decisions import Decision
from evergreen.reports.page import code, decisions_table, details, note, table, text
from evergreen.rollout.report.story import Story
from evergreen.rollout.report.words import moment, once, reason
from evergreen.rollout.view.facts import REFUSED

_MOST = 40
_OTHERS = frozenset({"verdict hold", "verdict promote", "reissued"})


def checks(story: Story) -> list[str]:
    """Every check of the last verdict, what was refused first."""
    verdict = story.record.verdict
    return [decisions_table(verdict.checks)] if verdict and verdict.checks else []


def decisions(story: Story) -> list[str]:
    """Every decision with the checks that it was taken on; the oldest of very many are left out."""
    told = [d for d in story.decisions if d.get("what") not in _OTHERS]
    blocks: list[str] = []
    if len(told) > _MOST:
        blocks.append(text(f"{len(told) - _MOST} earlier decisions are not shown; all are in the store."))
    return [*blocks, *(_decision(d) for d in told[-_MOST:])]


def _decision(decision: Mapping[str, Any]) -> str:
    who = decision.get("who", "")
    by = f" by {who}" if who not in ("", "controller") else ""
    summary = f"{decision['number']}. {moment(decision['at'])}  {decision['what']}{by}, {decision['stage']}"
    blocks: list[str] = [text(str(decision["reason"]))]
    found = _checks((decision.get("verdict") or {}).get("checks", ()))
    if found:
        blocks.append(decisions_table(found))
    return details(summary, *blocks)


def _checks(rows: Sequence[Mapping[str, Any]]) -> list[Decision]:
    found = []
    for row in rows:
        try:
            found.append(msgspec.convert(dict(row), Decision, strict=False))
        except msgspec.ValidationError:
            continue  # a record by hand, or of another version of Evergreen: the reason above still stands
    return found


def events(story: Story) -> list[str]:
    """All that happened: when, what, who, why."""
    rows = [
        (
            once(moment(e.at)),
            once(e.what),
            once(e.stage),
            f"{e.share:g} %",
            e.who,
            reason(e.reason),
            e.generation,
        )
        for e in reversed(story.events)
    ]
    headers = ["Time (UTC)", "What", "Stage", "Share", "Who", "Why", "Generation"]
    return [table(headers, rows, numeric={3, 6}, caption="Events of the rollout")]


def way_back(story: Story) -> list[str]:
    """How users get the version before again."""
    record = story.record
    command = f"evergreen rollout restore {record.model}"
    if record.phase == "launched":
        words = f"Version {record.baseline} is `previous`. One command gives it to every user again:"
        return [text(words.replace("`", "")), code(command)]
    if record.phase in REFUSED or record.phase in ("failed", "rolling_back"):
        again = f"evergreen rollout start {record.model}@{record.candidate} --again"
        return [
            note(f"Every user has version {record.baseline}; the candidate gets no requests.", "pass"),
            text("A better version begins a rollout of its own. To try this one once more:"),
            code(again),
        ]
    return [
        text(f"One command gives every user version {record.baseline} and ends the rollout:"),
        code(f"evergreen rollout abort {record.model}"),
    ]
