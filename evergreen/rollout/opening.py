"""How a rollout's record begins; pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from evergreen.errors import InputError
from evergreen.project.model import Rollout, Serving
from evergreen.project.wording import dotted
from evergreen.registry.records import ModelVersion
from evergreen.rollout import plans
from evergreen.rollout.chronicle import noted
from evergreen.rollout.record import RolloutRecord


@dataclass(frozen=True)
class Opening:
    """What a rollout is begun with.

    Attributes:
        model: The model's name.
        candidate: The version that is rolled out.
        baseline: The version that users have; 0 for none.
        previous: Where the alias `previous` stands; 0 for nowhere.
        by: Who begins it.
        why: The reason, for people.
        direct: Without stages.
        metadata: What a pipeline wants to find again.
    """

    model: str
    candidate: int
    baseline: int
    previous: int
    by: str
    why: str
    direct: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)


def opened(
    opening: Opening, settings: Rollout, serving: Serving, now: float, last: RolloutRecord | None
) -> RolloutRecord:
    """A rollout's first record.

    Args:
        opening: What it is begun with.
        settings: The project's `rollout` section.
        serving: The project's `serving` section.
        now: Seconds since 1970.
        last: The model's newest record. The id follows from it: whoever begins the same rollout at the same
            time makes the same id, and finds it taken.
    """
    plain = settings.model_dump(mode="json"), serving.model_dump(mode="json")
    id = rollout_id(opening.model, opening.candidate, last)
    stage = len(settings.stages) if opening.direct else 0
    # A wrong clock must not make a new rollout older than the last one.
    created = max(now, last.created + 1e-3) if last else now
    record = RolloutRecord(
        id=id, model=opening.model, baseline=opening.baseline, candidate=opening.candidate,
        settings=plain[0], serving=plain[1], phase="starting", stage=stage, since=created, created=created,
        by=opening.by, plan=plans.first_plan(opening.model, opening.baseline, settings, plain[1], id),
        previous=opening.previous, metadata=dict(opening.metadata), direct=opening.direct,
    )  # fmt: skip
    why = opening.why or f"version {opening.candidate} against version {opening.baseline}"
    return noted(record, created, "begun", why, who=opening.by)


def rollout_id(model: str, candidate: int, last: RolloutRecord | None) -> str:
    """`<model>-<version>-<6 hex digits>`."""
    text = f"{model} {candidate} {last.id if last else ''}"
    return f"{model}-{candidate}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def settings_like(record: RolloutRecord | None, version: ModelVersion) -> tuple[Rollout, Serving]:
    """The settings for a version that comes without: of the model's last rollout, else the version's own.

    Args:
        record: The last rollout; None for none.
        version: What is to be served. One that was pushed without settings gets the defaults.

    Raises:
        InputError: the version's settings are not of this Evergreen.
    """
    if record is None:
        own = {"rollout": {}, "serving": {}, **version.settings}
        try:
            return Rollout.model_validate(own["rollout"]), Serving.model_validate(own["serving"])
        except ValidationError as error:
            problem = error.errors()[0]
            place = dotted(problem["loc"])
            found = f"was pushed with settings that this Evergreen does not know: {place}: {problem['msg']}"
            remedy = "Deploy it with its project file (--project)."
            raise InputError(f"{version.name}@{version.version}", found, remedy=remedy) from error
    return plans.settings_of(record), Serving.model_validate(dict[str, Any](record.serving))
