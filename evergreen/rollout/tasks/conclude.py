"""The end of a rollout in a pipeline: wait for it, look whether the registry agrees, keep record and page."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from evergreen.decisions import Decision, stop_if_failed, verdict
from evergreen.registry import Registry
from evergreen.registry.aliases import BASELINE, PREVIOUS
from evergreen.rollout import codec
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.report.archive import ROOT
from evergreen.rollout.tasks.follow import LAUNCHED, Followed, await_rollout
from evergreen.rollout.tasks.places import Places


@dataclass(frozen=True)
class Concluded:
    """A rollout that has ended.

    Attributes:
        followed: As `await_rollout` gave it, with the registry's records added.
        record: The final record as JSON.
    """

    followed: Followed
    record: str

    def stop_if_wrong(self) -> None:
        """End the task when the rollout was taken back, or an alias stands where nobody moved it.

        Raises:
            GateStopped: as it says; also `Fault`, as `Followed.stop_if_taken_back`.
        """
        self.followed.stop_if_taken_back()
        stop_if_failed(d for d in self.followed.decisions if d.check.startswith("alias "))


def conclude_rollout(
    places: Places, rollout: str, timeout: float | None = None, *, every: float = 2.0
) -> Concluded:
    """Wait for the end, check the aliases against it, and keep the page in the store beside the record.

    Args:
        places: The project's.
        rollout: Its id; empty for none.
        timeout: Seconds to wait for the end; None: for ever.
        every: Seconds between two looks.

    Raises:
        NotFoundError: no such rollout.
    """
    followed = await_rollout(places, rollout, LAUNCHED, timeout, every=every)
    record = followed.record
    if record is None:
        return Concluded(followed, _text({"model": places.project.name, "phase": followed.phase}))
    if record.ended:
        found = aliases(places.registry, record)
        followed = replace(followed, decisions=(*followed.decisions, *found))
        places.store.write(f"{ROOT}/{record.id}/report.html", followed.page.encode())
    return Concluded(followed, _text(codec.plain(record)))


def aliases(registry: Registry, record: RolloutRecord) -> tuple[Decision, ...]:
    """Whether the aliases stand where the rollout left them; moved by somebody since then is a warning."""
    standing = registry.aliases(record.model)
    if record.phase != "launched":
        wrong = standing.get(BASELINE, 0) == record.candidate
        return (
            _decision(BASELINE, record.baseline, standing, not wrong, _since(registry, record, BASELINE)),
        )
    wanted = {BASELINE: record.candidate, PREVIOUS: record.baseline}
    return tuple(
        _decision(
            alias, version, standing, standing.get(alias, 0) == version, _since(registry, record, alias)
        )
        for alias, version in wanted.items()
    )


def _decision(alias: str, wanted: int, standing: Mapping[str, int], right: bool, moved: str) -> Decision:
    found = standing.get(alias, 0)
    reason = f"alias {alias} stands at version {found}"
    if not right:
        reason += f", not at version {wanted}: {moved or 'nobody is on record for moving it'}"
    return Decision(
        "rollout",
        f"alias {alias}",
        verdict(right, "warn" if moved else "fail"),
        reason,
        float(wanted),
        float(found),
    )


def _since(registry: Registry, record: RolloutRecord, alias: str) -> str:
    """Who moved an alias after the rollout had moved it; empty for nobody."""
    moves = [m for m in registry.history(record.model) if m.alias == alias]
    own = [i for i, m in enumerate(moves) if record.id in f"{m.why} {m.evidence}"]
    later = moves[own[-1] + 1 :] if own else moves[-1:]
    return f"{later[-1].who} moved it since: {later[-1].why}" if later else ""


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
