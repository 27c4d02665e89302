"""Percentile bootstrap of metrics, vectorised over resamples; paired where two models saw the same rows.

A resample is a line of weights: how often each row (or each entity, when entities have several rows) was
drawn. Above `most_rows` rows, whole entities are drawn from a seeded subsample of m of the n rows, and the
interval's distances from the estimate are shrunk by √(m/n), as errors of these metrics go with 1/√n.
"""

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from evergreen.modeling.evaluation.metrics import formula, value
from evergreen.modeling.evaluation.sample import Formula, Sample, Undefined

MOST_ROWS = 100_000
_BATCH_CELLS = 2_000_000
_ENOUGH = 0.5
_BIASED_UP = ("calibration_error",)


@dataclass(frozen=True)
class Resampling:
    """How intervals are made.

    Attributes:
        resamples: How many.
        confidence: Share of the interval, such as 0.95.
        seed: Of the draws; slices draw from streams of their own by name.
        most_rows: Resample at most about so many rows.
    """

    resamples: int = 200
    confidence: float = 0.95
    seed: int = 17
    most_rows: int = MOST_ROWS


@dataclass(frozen=True)
class Estimate:
    """A metric of some rows: its value and interval; None with a `reason` where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Estimates:
    """The estimates by metric, of a model, of the model that it is compared with, and of the differences."""

    candidate: dict[str, Estimate]
    baseline: dict[str, Estimate] | None = None
    changes: dict[str, Estimate] | None = None


def estimate(
    sample: Sample, metrics: Sequence[str], how: Resampling, name: str = "", baseline: Sample | None = None
) -> Estimates:
    """Measure the metrics of some rows with their intervals.

    Args:
        sample: The rows.
        metrics: Which.
        how: How intervals are made.
        name: The slice's name; part of the seed.
        baseline: The same rows in the same order as another model predicted them.

    Returns:
        Estimates of `sample`, and with `baseline` also its own and the paired differences (sample minus
        baseline).
    """
    samples = [sample] if baseline is None else [sample, baseline]
    points = [_points(s, metrics) for s in samples]
    kept = subsample(
        sample, metrics, how.most_rows, np.random.default_rng([how.seed, 1, zlib.crc32(name.encode())])
    )
    share = 1.0 if kept is None else len(kept) / sample.rows
    order = _ranked(sample, np.arange(sample.rows) if kept is None else kept)
    drawn = _drawn([s.take(order) for s in samples], metrics, how, name)
    found = [
        {m: _estimate(p[m], d.get(m), m, how, share) for m in metrics}
        for p, d in zip(points, drawn, strict=True)
    ]
    if baseline is None:
        return Estimates(found[0])
    changes = {m: _change(points, drawn, m, how, share) for m in metrics}
    return Estimates(found[0], found[1], changes)


def _ranked(sample: Sample, places: np.ndarray) -> np.ndarray:
    """The places by falling score, which spares the metrics of ranks a pass over each resample's weights."""
    if sample.probabilities is None or sample.classes != 2:
        return places
    return places[np.argsort(-sample.score[places], kind="stable")]


def _points(sample: Sample, metrics: Sequence[str]) -> dict[str, float | str]:
    """The value of each metric, or why there is none."""
    points: dict[str, float | str] = {}
    for metric in metrics:
        try:
            points[metric] = value(metric, sample)
        except Undefined as undefined:
            points[metric] = str(undefined)
    return points


@dataclass(frozen=True)
class _Draws:
    """A metric's value on the rows that were resampled, and on each resample [resamples]."""

    centre: float
    values: np.ndarray


def _drawn(
    samples: Sequence[Sample], metrics: Sequence[str], how: Resampling, name: str
) -> list[dict[str, _Draws]]:
    formulas = [_formulas(s, metrics) for s in samples]
    columns: list[dict[str, list[np.ndarray]]] = [{m: [] for m in f} for f in formulas]
    rng = np.random.default_rng([how.seed, 0, zlib.crc32(name.encode())])
    with threadpool_limits(limits=1, user_api="blas"):  # its sums depend on the number of threads
        for weights in draw(samples[0], how.resamples, rng):
            for known, column in zip(formulas, columns, strict=True):
                for metric, measure in known.items():
                    column[metric].append(measure(weights))
    ones = np.ones((1, samples[0].rows))
    return [
        {m: _Draws(float(known[m](ones)[0]), np.concatenate(parts)) for m, parts in column.items()}
        for known, column in zip(formulas, columns, strict=True)
    ]


def _formulas(sample: Sample, metrics: Sequence[str]) -> dict[str, Formula]:
    found: dict[str, Formula] = {}
    for metric in metrics:
        try:
            found[metric] = formula(metric, sample)
        except Undefined:
            continue
    return found


def draw(sample: Sample, resamples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Weights [batch, rows] of `resamples` draws with replacement, of rows or of whole clusters."""
    cluster = None
    units = sample.rows
    if sample.clusters is not None:
        cluster = np.unique(sample.clusters, return_inverse=True)[1]
        units = int(cluster.max()) + 1
    batch = max(1, min(resamples, _BATCH_CELLS // max(1, sample.rows)))
    for begin in range(0, resamples, batch):
        lines = min(batch, resamples - begin)
        chosen = rng.integers(0, units, (lines, units)) + np.arange(lines)[:, None] * units
        counts = np.bincount(chosen.ravel(), minlength=lines * units).reshape(lines, units)
        weights = counts.astype(np.float64)
        yield weights if cluster is None else weights[:, cluster]


def subsample(
    sample: Sample, metrics: Sequence[str], most_rows: int, rng: np.random.Generator
) -> np.ndarray | None:
    """The places of the rows to resample, in order, when there are more than can be afforded; else None.

    One-against-the-rest areas cost a ranking for each class, so their bound is lower.
    """
    ranked = {"roc_auc", "average_precision"} & set(metrics) and sample.classes > 2
    most = min(most_rows, max(20_000, most_rows // sample.classes)) if ranked else most_rows
    if sample.rows <= most:
        return None
    if sample.clusters is None:
        return np.sort(rng.choice(sample.rows, most, replace=False))
    cluster = np.unique(sample.clusters, return_inverse=True)[1]
    sizes = np.bincount(cluster)
    order = rng.permutation(len(sizes))
    taken = np.searchsorted(np.cumsum(sizes[order]), most, side="right")
    chosen = np.zeros(len(sizes), dtype=bool)
    chosen[order[: max(2, taken)]] = True
    return np.flatnonzero(chosen[cluster])


def _estimate(
    point: float | str, draws: _Draws | None, metric: str, how: Resampling, share: float
) -> Estimate:
    if isinstance(point, str):
        return Estimate(None, reason=point)
    if draws is None:
        return Estimate(point)
    low, high = _bounds(draws.values, draws.centre, point, how.confidence, share, metric in _BIASED_UP)
    if low is not None and metric in _BIASED_UP:
        low = max(0.0, low)
    return Estimate(point, low, high)


def _change(
    points: Sequence[dict[str, float | str]],
    drawn: Sequence[dict[str, _Draws]],
    metric: str,
    how: Resampling,
    share: float,
) -> Estimate:
    mine, theirs = points[0][metric], points[1][metric]
    if isinstance(mine, str) or isinstance(theirs, str):
        return Estimate(None, reason=mine if isinstance(mine, str) else f"baseline: {theirs}")
    if metric not in drawn[0] or metric not in drawn[1]:
        return Estimate(mine - theirs)
    a, b = drawn[0][metric], drawn[1][metric]
    gap = a.values - b.values, a.centre - b.centre
    low, high = _bounds(*gap, mine - theirs, how.confidence, share, metric in _BIASED_UP)
    return Estimate(mine - theirs, low, high)


def _bounds(
    values: np.ndarray, centre: float, point: float, confidence: float, share: float, biased: bool
) -> tuple[float | None, float | None]:
    """The interval; None when too few resamples had the metric."""
    known = values[np.isfinite(values)]
    if len(known) < _ENOUGH * len(values) or not len(known) or not math.isfinite(centre):
        return None, None
    tail = (1 - confidence) / 2
    low, high = (float(q) for q in np.quantile(known, [tail, 1 - tail]))
    if biased:  # resampling adds noise that the metric counts as error: keep the spread, not the shift
        centre = float(np.median(known))
    scale = math.sqrt(share)
    return point + scale * (low - centre), point + scale * (high - centre)
