"""Evaluate a model on the splits, overall and by slice, beside the blessed baseline on the same rows."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from evergreen import log
from evergreen.bundle.load import Bundle, load_bundle
from evergreen.errors import DataError
from evergreen.files import write_text
from evergreen.modeling.evaluation.bootstrap import Estimate, Resampling, estimate
from evergreen.modeling.evaluation.longtail import Tail, is_tail, widened
from evergreen.modeling.evaluation.metrics import chosen_metrics, higher_is_better
from evergreen.modeling.evaluation.read import Request, Scored, read_part, same_classes
from evergreen.modeling.evaluation.sample import Sample
from evergreen.modeling.evaluation.shape import (
    calibration,
    class_name,
    confusion_matrix,
    curves,
    residuals,
)
from evergreen.modeling.evaluation.slices import Slicing, plan_slices
from evergreen.project.model import Project
from evergreen.project.wording import did_you_mean
from evergreen.tables import columns, connect, kind, read_meta, scan

_log = log.get(__name__)
OVERALL = "overall"
SLICE_ROWS = 20_000


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        content: `evaluation.json`, without NaN (docs/adr/0006-evaluation-and-gate.md says what it holds).
        primary: The leading metric of the test set.
    """

    content: Mapping[str, Any]
    primary: float

    def write(self, path: Path) -> None:
        """Write `evaluation.json`, whole or not at all."""
        write_text(path, json.dumps(self.content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_evaluation(path: Path) -> dict[str, Any]:
    """Read what `Evaluation.write` wrote.

    Raises:
        DataError: when it is not there or not JSON.
    """
    try:
        content: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        found = f"no evaluation ({type(error).__name__})"
        raise DataError(str(path), found, remedy="Run evaluate_model again.") from error
    return content


def evaluate(
    project: Project, splits: Path, model: Path, baseline: Path | None = None, strategy: Path | None = None
) -> Evaluation:
    """Measure a bundle on test (overall and by slice) and validation (overall).

    Args:
        project: The project; `evaluation`, `slices`, `model.seed` and `resources` are read.
        splits: The folder that `split_training_set` wrote.
        model: The bundle.
        baseline: The blessed bundle; None or an empty folder when there is none yet.
        strategy: `strategy.json` of `assess_data`, whose long tail is measured too; None or no file: none.

    Raises:
        DataError: when the splits lack a column, or the leading metric cannot be measured on the test set.
        InputError: when a metric does not fit the task.
        BundleError: when a bundle must not be loaded.
    """
    candidate = load_bundle(model)
    primary, metrics = chosen_metrics(
        candidate.signature.task, project.evaluation.primary, project.evaluation.metrics
    )
    how = Resampling(project.evaluation.bootstrap, project.evaluation.confidence, project.model.seed)
    read = _read(project, splits, candidate, baseline, strategy)
    test = _Measured(
        read.test, read.slicings, metrics, how, project.evaluation.min_slice_rows, looks=len(read.tail),
        tail_rows=project.long_tail.min_rows,
    )  # fmt: skip
    validation = _Measured(read.validation, (), metrics, replace(how, most_rows=SLICE_ROWS), 0, "validation")
    leading = test.overall.candidate[primary]
    if leading.value is None:
        raise DataError(
            "test set",
            f"{primary} cannot be measured: {leading.reason}",
            remedy="Choose another split, or another `evaluation.primary`.",
        )
    content = {
        **_header(project, candidate, primary, metrics, how),
        "unit": _unit(read.test.sample),
        "long_tail": read.tail,
        "datasets": {"test": test.part("candidate"), "validation": validation.part("candidate")},
        "baseline": None,
        "baseline_problem": read.problem,
        "changes": None,
        **_shapes(read.test, how.seed),
    }
    if read.baseline is not None:
        parts = {"test": test.part("baseline"), "validation": validation.part("baseline")}
        content["baseline"] = {"digest": read.baseline.digest, "datasets": parts}
        content["changes"] = test.changes()
    _log.info("evaluated", extra={"metric": primary, "value": leading.value, "rows": read.test.sample.rows})
    return Evaluation(_rounded(content), leading.value)


@dataclass(frozen=True)
class _Read:
    """The parts with predictions; `problem` says why a baseline that is there cannot be compared."""

    test: Scored
    validation: Scored
    slicings: tuple[Slicing, ...]
    baseline: Bundle | None
    problem: str
    tail: list[dict[str, Any]]


def _read(
    project: Project, splits: Path, candidate: Bundle, folder: Path | None, strategy: Path | None
) -> _Read:
    meta = read_meta(splits)
    with connect(project.resources) as con:
        parts = {name: scan(splits / f"{name}.parquet") for name in ("train", "validation", "test")}
        types = columns(con, parts["test"])
        baseline, problem = _baseline(candidate, folder, types)
        everything = "(" + " UNION ALL BY NAME ".join(f"FROM {p}" for p in parts.values()) + ")"
        tail = Tail.of(con, everything, types, strategy)
        slicings = (*plan_slices(con, everything, types, project.slices), *tail.slicings)
        group = project.evaluation.group if candidate.signature.task == "ranking" else None
        if group is not None and group not in types:
            remedy = did_you_mean(group, types) or "Change `evaluation.group` in the project file."
            raise DataError(f"column {group!r}", "the splits have no such column", remedy=remedy)
        entity = tuple(meta.get("entity") or ())
        plain = Request(meta["label"], (), group, entity if set(entity) <= set(types) else ())
        sliced = replace(plain, slicings=slicings)
        test = read_part(con, tail.source(parts["test"]), types, sliced, candidate, baseline)
        validation = read_part(con, parts["validation"], types, plain, candidate, baseline)
    return _Read(test, validation, slicings, baseline, problem, tail.content())


def _baseline(candidate: Bundle, folder: Path | None, types: Mapping[str, str]) -> tuple[Bundle | None, str]:
    """The baseline if there is one that can predict these rows, else why it cannot."""
    if folder is None or not Path(folder).is_dir() or not any(Path(folder).iterdir()):
        return None, ""
    bundle = load_bundle(folder)
    problem = same_classes(candidate.signature, bundle.signature)
    for spec in bundle.signature.inputs:
        if spec.name not in types and spec.required:
            problem = problem or f"the baseline needs the column {spec.name!r}, which is not there"
        elif spec.name in types and spec.type != "category" and kind(types[spec.name]) == "text":
            problem = problem or f"the baseline needs numbers in {spec.name!r}, which now holds text"
    return (None, problem) if problem else (bundle, "")


class _Measured:
    """The estimates of a part, overall and by slice."""

    def __init__(
        self,
        scored: Scored,
        slicings: Sequence[Slicing],
        metrics: Sequence[str],
        how: Resampling,
        min_rows: int,
        seed_name: str = OVERALL,
        looks: int = 0,
        tail_rows: int = 0,
    ) -> None:
        self.min_rows, self.tail_rows = min_rows, max(min_rows, tail_rows)
        self.rows = {OVERALL: scored.sample.rows}
        self.shares = {OVERALL: _positive_share(scored.sample)}
        self.overall = estimate(scored.sample, metrics, how, seed_name, scored.baseline)
        self.found = {OVERALL: self.overall}
        small = replace(how, most_rows=SLICE_ROWS)
        for slicing, places in zip(slicings, scored.slices, strict=True):
            for place, name in enumerate(slicing.names):
                index = np.flatnonzero(places == place)
                if len(index):
                    sample = scored.sample.take(index)
                    other = None if scored.baseline is None else scored.baseline.take(index)
                    self.rows[name], self.shares[name] = len(index), _positive_share(sample)
                    found = estimate(sample, metrics, small, name, other)
                    tail = is_tail(name)
                    self.found[name] = widened(found, sample, how.confidence, looks) if tail else found

    def part(self, model: str) -> dict[str, Any]:
        """`candidate` or `baseline` by slice, as `evaluation.json` has it."""
        return {
            name: {
                "rows": self.rows[name],
                **({} if self.shares[name] is None else {"positive_share": self.shares[name]}),
                "small": name != OVERALL
                and self.rows[name] < (self.tail_rows if is_tail(name) else self.min_rows),
                **({"tail": True} if is_tail(name) else {}),
                "metrics": {m: _entry(e) for m, e in getattr(found, model).items()},
            }
            for name, found in self.found.items()
        }

    def changes(self) -> dict[str, Any]:
        """Candidate minus baseline by slice."""
        return {
            name: {m: _entry(e) for m, e in (found.changes or {}).items()}
            for name, found in self.found.items()
        }


def _entry(found: Estimate) -> dict[str, Any]:
    entry: dict[str, Any] = {"value": found.value, "low": found.low, "high": found.high}
    return {**entry, "reason": found.reason} if found.reason else entry


def _positive_share(sample: Sample) -> float | None:
    return float(sample.positive.mean()) if sample.target.task == "binary" else None


def _unit(sample: Sample) -> str:
    """What the bootstrap draws."""
    if sample.clusters is None:
        return "rows"
    return "groups" if sample.target.task == "ranking" else "entities"


def _header(
    project: Project, candidate: Bundle, primary: str, metrics: Sequence[str], how: Resampling
) -> dict[str, Any]:
    signature = candidate.signature
    return {
        "version": 1,
        "name": project.name,
        "task": signature.task,
        "label": signature.label,
        "positive": None if signature.positive is None else class_name(signature.positive),
        "model": {"digest": candidate.digest},
        "primary": primary,
        "higher_is_better": {m: higher_is_better(m) for m in metrics},
        "bootstrap": {
            "resamples": how.resamples,
            "confidence": how.confidence,
            "seed": how.seed,
            "most_rows": how.most_rows,
            "most_rows_of_a_slice": SLICE_ROWS,
        },
        "min_slice_rows": project.evaluation.min_slice_rows,
        "slices": [s.column for s in project.slices],
    }


def _shapes(test: Scored, seed: int) -> dict[str, Any]:
    models = {"candidate": test.sample}
    if test.baseline is not None:
        models["baseline"] = test.baseline
    shapes: dict[str, dict[str, Any]] = {
        "calibration": {n: calibration(s) for n, s in models.items() if s.target.task != "ranking"},
        "curves": {n: curves(s) for n, s in models.items()},
    }
    kept = {k: {n: v for n, v in by.items() if v is not None} for k, by in shapes.items()}
    return {
        **{k: v or None for k, v in kept.items()},
        "confusion": confusion_matrix(test.sample),
        "residuals": residuals(test.sample, seed),
    }


def _rounded(content: Any) -> Any:
    """Ten significant digits: the order in which cores add up must not show in the bytes."""
    if isinstance(content, float):
        return float(f"{content:.10g}") if math.isfinite(content) else None
    if isinstance(content, dict):
        return {k: _rounded(v) for k, v in content.items()}
    if isinstance(content, list):
        return [_rounded(v) for v in content]
    return content
