"""`selection.json`: which features the model gets, which not and why, and how later steps read it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from evergreen.errors import DataError
from evergreen.files import write_text
from evergreen.modeling.columns import ColumnPlan
from evergreen.near import did_you_mean

FILE = "selection.json"
VERSION = 1


@dataclass(frozen=True)
class Dropped:
    """A feature that the model does not get.

    Attributes:
        feature: Its name.
        reason: `useless`, `adds nothing`, `redundant`, `leak`, `unavailable`, `unusable` or `asked`.
        why: One sentence.
        evidence: The numbers behind it.
    """

    feature: str
    reason: str
    why: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Selection:
    """What `selection.json` says.

    Attributes:
        mode: The project's `selection.mode`.
        kept: The features that the model gets, in the training set's order.
        dropped: Those that it does not get.
        advised: With `mode: report`, what `drop` would have left out.
        features: By feature, what was measured.
        groups: Features that carry the same information; the first stands for the others.
        quality: With all and with those kept; empty where nothing was measured.
        sample: Rows looked at, of how many, in how many folds and repeats.
    """

    mode: str
    kept: tuple[str, ...]
    dropped: tuple[Dropped, ...] = ()
    advised: tuple[Dropped, ...] = ()
    features: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    groups: tuple[tuple[str, ...], ...] = ()
    quality: Mapping[str, Any] = field(default_factory=dict)
    sample: Mapping[str, Any] = field(default_factory=dict)

    def reasons(self) -> dict[str, str]:
        """Why each dropped feature is dropped."""
        return {d.feature: f"{d.reason}: {d.why}" for d in self.dropped}


def write_selection(path: Path, selection: Selection) -> None:
    """Write the record as JSON, whole or not at all."""
    content = {"version": VERSION, **asdict(selection)}
    text = json.dumps(finite(content), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(Path(path), text + "\n")


def read_selection(path: Path | None) -> Selection | None:
    """Read what `write_selection` wrote, from the file or from a folder that holds it as `selection.json`.

    Returns:
        None without a path, and for an empty folder: no selection was made.

    Raises:
        DataError: when it is no such record.
    """
    if path is None:
        return None
    path = Path(path)
    if path.is_dir():
        if not any(path.iterdir()):
            return None
        path = path / FILE
    elif not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = {k: v for k, v in content.items() if k != "version"}
        drops = {k: tuple(Dropped(**d) for d in found[k]) for k in ("dropped", "advised")}
        groups = tuple(tuple(g) for g in found["groups"])
        return Selection(**{**found, **drops, "groups": groups, "kept": tuple(found["kept"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "Run select_features again."
        raise DataError(str(path), f"no selection ({type(error).__name__})", remedy=remedy) from error


def selected(features: Sequence[Mapping[str, Any]], selection: Selection | None) -> list[Mapping[str, Any]]:
    """The features of a training set that a selection keeps; all of them without one.

    Raises:
        DataError: when the selection was made for another training set.
    """
    if selection is None:
        return list(features)
    names = {f["name"] for f in features}
    unknown = [n for n in selection.kept if n not in names]
    if unknown:
        raise DataError(
            "selection",
            f"it keeps {unknown[0]!r}, which the training set does not have",
            "the selection of this training set",
            did_you_mean(unknown[0], sorted(names)) or "Run select_features again.",
        )
    kept = set(selection.kept)
    return [f for f in features if f["name"] in kept]


def with_reasons(plan: ColumnPlan, selection: Selection | None) -> ColumnPlan:
    """The plan with what the selection left out, and why, beside what cannot be used."""
    if selection is None or not selection.dropped:
        return plan
    return replace(plan, dropped={**selection.reasons(), **plan.dropped})


def summary(selection: Selection) -> dict[str, Any]:
    """What `training.json` and the model card say about a selection."""
    return {
        "mode": selection.mode,
        "kept": len(selection.kept),
        "dropped": {d.feature: d.reason for d in selection.dropped},
        "quality": dict(finite(selection.quality)),
        "sample": dict(selection.sample),
    }


def finite(value: Any) -> Any:
    """Numbers in at most nine significant digits; infinite ones and NaN as null."""
    if isinstance(value, float):
        return float(f"{value:.9g}") if abs(value) < float("inf") else None
    if isinstance(value, Mapping):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return value
