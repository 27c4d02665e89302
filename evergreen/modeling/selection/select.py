"""Decide which features the model gets: leaks, what will be missing, what repeats another, what is of no use.

Only the train part is looked at; of the validation part the missing values alone; the test part never.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from evergreen import log
from evergreen.decisions import Decision
from evergreen.errors import InputError
from evergreen.findings import Finding, worst_first
from evergreen.modeling.selection import pictures
from evergreen.modeling.selection.alone import Score, alone, metric_of
from evergreen.modeling.selection.availability import find_lacks
from evergreen.modeling.selection.choose import Quality, candidates, verified
from evergreen.modeling.selection.findings import leak_findings, nothing_helps
from evergreen.modeling.selection.importance import Importances, importances
from evergreen.modeling.selection.information import Information, information
from evergreen.modeling.selection.leaks import Leak, Screen, find_leaks
from evergreen.modeling.selection.quick import Problem
from evergreen.modeling.selection.record import Dropped, Selection
from evergreen.modeling.selection.redundancy import Redundancy, redundancy
from evergreen.modeling.selection.sample import FOLDS, Sample, load_sample
from evergreen.modeling.selection.verdicts import describe, sentences
from evergreen.modeling.training.pipeline import named_columns
from evergreen.near import did_you_mean
from evergreen.project.model import Project
from evergreen.tables import read_meta
from evergreen.tables.names import listed

_log = log.get(__name__)


@dataclass(frozen=True)
class Selected:
    """What `select_features` found.

    Attributes:
        selection: The record.
        findings: Leaks, and features that will be missing; worst first.
        decisions: The findings as decisions, and a pass for each kind of check without one.
        likeness: [names, names] for the report; None with `mode: off`.
        names: The features looked at.
        control: Importance of the best shuffled copy: mean, low, high.
        evidence: By suspected feature, a chart of its values by label.
    """

    selection: Selection
    findings: tuple[Finding, ...] = ()
    decisions: tuple[Decision, ...] = ()
    likeness: np.ndarray | None = None
    names: tuple[str, ...] = ()
    control: tuple[float, float, float] = (0.0, 0.0, 0.0)
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Measured:
    sample: Sample
    problem: Problem
    known: Sequence[Information]
    scores: Sequence[Score]
    alike: Redundancy
    leaks: Sequence[Leak]
    used: Sequence[int]
    units: Sequence[tuple[int, ...]]
    importance: Importances | None
    going: Mapping[int, str]
    gone: set[int]
    quality: Quality | None


def select_features(
    project: Project, splits: Path, tables: Path | None = None, repaired: Path | None = None
) -> Selected:
    """Decide which features the model gets.

    Args:
        project: The project; `selection` and `resources` are used, and `model.transform` for columns that a
            step names, which always stay.
        splits: The folder of `split_training_set`.
        tables: The folder that `ingest` wrote: with it, availability is judged by the sources too.
        repaired: The overlay of `repair_data`.

    Raises:
        InputError: when `selection.keep` or `selection.drop` names no feature, or nothing would be left.
        DataError: when no feature can be used, or there are too few rows to tell.
    """
    settings = project.selection
    meta = read_meta(splits)
    names = [f["name"] for f in meta["features"]]
    _check_names(project, names)
    asked = [Dropped(n, "asked", "`selection.drop` names it") for n in names if n in settings.drop]
    if settings.mode == "off":
        kept = tuple(n for n in names if n not in settings.drop)
        return Selected(Selection("off", kept, tuple(asked)))
    sample = load_sample(project, splits)
    lacks = find_lacks(project, splits, tables, repaired) if settings.availability != "off" else []
    fixed = {*settings.keep, *named_columns(project.model)}
    lost = {lack.feature for lack in lacks if _goes(settings.availability, lack.sure)} - fixed
    lost |= {lack.feature for lack in lacks if lack.leak and _goes(settings.leakage, lack.sure)} - fixed
    measured = _measure(project, sample, fixed, lost | set(settings.drop))
    findings = leak_findings(project, measured.leaks, lacks)
    if measured.importance is not None and all(i.useless for i in measured.importance.units):
        findings.append(nothing_helps(measured.importance))
    dropped = [*asked, *sentences(project, measured, lacks, lost, fixed)]
    result = _result(project, measured, dropped, findings)
    fields = {
        "kept": len(result.selection.kept),
        "dropped": len(result.selection.dropped),
        "rows": sample.rows,
    }
    _log.info("features selected", extra=fields)
    return result


def _check_names(project: Project, names: Sequence[str]) -> None:
    settings = project.selection
    for where in ("keep", "drop"):
        unknown = [n for n in getattr(settings, where) if n not in names]
        if unknown:
            raise InputError(
                f"selection.{where}",
                f"{unknown[0]!r} is no feature of the training set",
                f"one of {listed(names)}",
                did_you_mean(unknown[0], names),
            )
    if names and set(names) <= set(settings.drop):
        raise InputError("selection.drop", "it names every feature", "at least one that stays")


def _goes(mode: str, sure: bool) -> bool:
    """Whether a feature under suspicion is left out; with `fail` too, for the run that looks at the rest."""
    return sure and mode in ("drop", "fail")


def _measure(project: Project, sample: Sample, fixed: set[str], lost: set[str]) -> _Measured:
    settings = project.selection
    problem = Problem(sample.label, sample.classes, settings.seed)
    wide = len(sample.names)
    categories = np.array([sample.is_category(k) for k in range(wide)])
    known = information(sample.values, sample.label, sample.classes, settings.seed)
    folds = sample.repeats[0]
    scores = alone(problem, sample.values, categories, folds, sample.clusters)
    holes = np.isnan(sample.values).sum(axis=0)
    order = np.array(
        sorted(range(wide), key=lambda k: (sample.names[k] not in fixed, holes[k], -known[k].bits, k))
    )
    alike = redundancy(sample.values, categories, settings.same, order, settings.seed)
    screen = Screen(sample, problem, scores, alike, project.label.source)
    leaks = find_leaks(screen) if settings.leakage != "off" else []
    out = lost | {leak.feature for leak in leaks if leak.sure and leak.feature not in fixed}
    used = [k for k in range(wide) if sample.names[k] not in out]
    units = _units(alike, used)
    if not used:
        return _Measured(sample, problem, known, scores, alike, leaks, used, units, None, {}, set(), None)
    place = {k: i for i, k in enumerate(used)}
    local = [[place[k] for k in unit] for unit in units]
    found = importances(problem, sample.model_values[:, used], local, sample.repeats)
    stay = {k for k in used if sample.names[k] in fixed or sample.changes_with_few_times(k)}
    going = candidates(units, found, known, stay)
    by_place = {k: found.features[place[k]].mean for k in used}
    gone, quality = verified(sample, problem, used, going, [by_place.get(k, 0.0) for k in range(wide)])
    return _Measured(sample, problem, known, scores, alike, leaks, used, units, found, going, gone, quality)


def _units(alike: Redundancy, used: Sequence[int]) -> list[tuple[int, ...]]:
    """The groups of the same features, and every other feature alone; only of those looked at."""
    left = set(used)
    units = []
    for k in used:
        if k in left:
            unit = tuple(m for m in alike.group_of(k) if m in left)
            units.append(unit)
            left -= set(unit)
    return units


def _result(
    project: Project, measured: _Measured, dropped: Sequence[Dropped], findings: Sequence[Finding]
) -> Selected:
    sample, settings = measured.sample, project.selection
    names = [f["name"] for f in sample.meta["features"]]
    by_name: dict[str, Dropped] = {}
    for drop in dropped:
        by_name.setdefault(drop.feature, drop)
    drops = tuple(by_name[n] for n in names if n in by_name)
    applied = (
        drops if settings.mode == "drop" else tuple(d for d in drops if d.reason in ("asked", "unusable"))
    )
    kept = tuple(n for n in names if n not in {d.feature for d in applied})
    if not kept:
        applied = tuple(d for d in applied if d.reason in ("asked", "unusable"))
        kept = tuple(n for n in names if n not in {d.feature for d in applied})
    groups = tuple(tuple(sample.names[k] for k in g) for g in measured.alike.groups)
    selection = Selection(
        mode=settings.mode,
        kept=kept,
        dropped=applied,
        advised=() if settings.mode == "drop" else tuple(d for d in drops if d not in applied),
        features=describe(measured),
        groups=groups,
        quality=_quality(measured),
        sample=_sample(sample),
    )
    ordered = tuple(worst_first(findings))
    suspects = list(dict.fromkeys(f.column for f in ordered if f.column in sample.names))
    return Selected(
        selection,
        ordered,
        _decisions(project, ordered),
        measured.alike.likeness,
        sample.names,
        measured.importance.control if measured.importance else (0.0, 0.0, 0.0),
        pictures.evidence(sample, suspects),
    )


def _quality(measured: _Measured) -> dict[str, Any]:
    quality = measured.quality
    if quality is None:
        return {}
    metric = metric_of(measured.problem.classes)
    return {
        "loss": "bits a row" if measured.problem.classes else "share of the label's variance",
        "loss_all": quality.loss_all,
        "loss_kept": quality.loss_kept,
        "loss_prior": quality.loss_prior,
        "worse": quality.worse,
        "worse_low": quality.low,
        "worse_high": quality.high,
        "metric": metric,
        "all": quality.score_all.value,
        "kept": quality.score_kept.value,
        "looked_at": len(measured.used),
        "left_out": len(measured.gone),
        "tries": quality.tries,
        "unproven": [measured.sample.names[k] for k in quality.refused],
    }


def _sample(sample: Sample) -> dict[str, Any]:
    first = sample.repeats[0]
    scored = sum(len(f.score) for f in first)
    by_time = scored < sample.rows
    method = str(sample.meta["split"]["method"])
    by = {"stratified": "class", "hash": "row"}.get(method, method)
    return {
        "rows": sample.rows,
        "of": sample.total,
        "small_data": sample.small,
        "folds": FOLDS,
        "repeats": len(sample.repeats),
        "by": "time" if by_time else by,
        "entities": len(np.unique(sample.clusters)) if sample.meta.get("entity") else None,
    }


def _decisions(project: Project, findings: Sequence[Finding]) -> tuple[Decision, ...]:
    found = [f.decision() for f in findings]
    kinds = {"leakage": project.selection.leakage, "availability": project.selection.availability}
    for kind, mode in kinds.items():
        rules = {f.rule for f in findings}
        seen = (
            any(r.startswith("leak") for r in rules)
            if kind == "leakage"
            else any(r.startswith("unavailable") for r in rules)
        )
        if mode == "off":
            found.append(Decision("selection", kind, "skip", f"{kind} is off", mode="off"))
        elif not seen:
            words = {
                "leakage": "no feature gives the label away",
                "availability": "no feature is known to be missing when the model serves",
            }
            shown = "fail" if mode == "fail" else "warn"
            found.append(Decision("selection", kind, "pass", words[kind], mode=shown))  # type: ignore[arg-type]
    return tuple(found)
