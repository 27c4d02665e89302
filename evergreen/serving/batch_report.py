"""The page about a batch prediction: what was computed, and whether predictions look like the labels did."""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evergreen.profile.model import Column, Profile
from evergreen.reports.charts import histogram
from evergreen.reports.page import Section, code, figure, note, page, table, text, tiles
from evergreen.serving.batch import BatchResult

_BINS = 10
_CLASSES_DRAWN = 30


@dataclass(frozen=True)
class Outputs:
    """The predictions of all shards, counted.

    Attributes:
        values: Rows by predicted class, as text; empty for a regression.
        probability_sums: The sum of each probability column.
        histogram: Rows by `edges`' bins, of the probability of a binary task or the value of a regression.
        edges: The inner edges of those bins.
    """

    values: dict[str, int]
    probability_sums: dict[str, float]
    histogram: tuple[int, ...]
    edges: tuple[float, ...]


def count_outputs(result: BatchResult, edges: tuple[float, ...]) -> Outputs:
    """Count the predictions, shard by shard."""
    names = [n for n in pq.read_schema(result.files[0]).names if n not in result.plan.keep]
    binned = "probability" if "probability" in names else "prediction"
    regression = result.bundle.signature.classes is None
    values: Counter[str] = Counter()
    sums = dict.fromkeys(names[1:], 0.0)
    bins = np.zeros(len(edges) + 1, dtype=np.int64)
    for path in result.files:
        for batch in pq.ParquetFile(path).iter_batches(columns=names):
            columns = {name: batch.column(name) for name in names}
            for name in sums:
                sums[name] += pc.sum(columns[name]).as_py() or 0.0
            if not regression:
                for entry in pc.value_counts(columns["prediction"]).to_pylist():
                    values[_shown(entry["values"])] += entry["counts"]
            if regression or binned == "probability":
                places = np.searchsorted(edges, columns[binned].to_numpy(zero_copy_only=False))
                bins += np.bincount(places, minlength=len(bins))
    return Outputs(dict(values), sums, tuple(int(b) for b in bins), edges)


def batch_page(result: BatchResult) -> str:
    """The page of a batch prediction (self-contained HTML)."""
    label = _training_label(result)
    regression = result.bundle.signature.classes is None
    edges = _edges(label) if regression else tuple(k / _BINS for k in range(1, _BINS))
    counted = count_outputs(result, edges)
    distribution = _values_section(result, counted, label) if regression else _classes(result, counted, label)
    title = "Batch prediction"
    return page(title, [_summary(result), distribution, _shards(result)], subtitle=result.plan.model)


def _summary(result: BatchResult) -> Section:
    plan = result.plan
    values: dict[str, object] = {
        "Rows": plan.rows,
        "Model": (plan.model, code(plan.model_digest[:12])),
        "Shards computed": len(result.done),
        "Shards reused": (len(result.skipped), "their digests held"),
    }
    return Section("What was done", [tiles(values), text(f"Kept in {result.uri}")])


def _classes(result: BatchResult, counted: Outputs, label: Column | None) -> Section:
    """Shares by class: the training labels, the predicted classes, and the mean probabilities."""
    signature, rows = result.bundle.signature, max(1, result.plan.rows)
    classes = [_shown(c) for c in signature.classes or ()]
    series: dict[str, list[float]] = {}
    if label and label.values:
        trained = {_shown(value): count for value, count in label.values.items}
        total = max(1, sum(trained.values()) + label.values.other)
        series["labels in training"] = [trained.get(c, 0) / total for c in classes]
    series["predicted classes"] = [counted.values.get(c, 0) / rows for c in classes]
    sums = counted.probability_sums
    if sums:
        means = [s / rows for s in sums.values()]
        series["mean probability"] = [1 - means[0], means[0]] if len(means) == 1 else means
    cells = [(c, *(values[k] for values in series.values())) for k, c in enumerate(classes)]
    shown = {name: values[:_CLASSES_DRAWN] for name, values in series.items()}
    blocks = [figure(histogram(classes[:_CLASSES_DRAWN], shown, "Share of rows by class"))]
    if "probability" in sums:
        names = [f"{k / _BINS:g}–{(k + 1) / _BINS:g}" for k in range(_BINS)]
        shares = {"rows": [n / rows for n in counted.histogram]}
        blocks.append(figure(histogram(names, shares, f"Probability of {_shown(signature.positive)}")))
    blocks.append(table(["Class", *series], cells, numeric=set(range(1, len(series) + 1))))
    return Section("Predictions", blocks if "labels in training" in series else [*blocks, _no_baseline()])


def _values_section(result: BatchResult, counted: Outputs, label: Column | None) -> Section:
    """Shares by value, in the bins of the training labels."""
    if label is None or label.numbers is None or not counted.edges:
        return Section("Predictions", [_no_baseline()])
    edges = [f"{e:.3g}" for e in counted.edges]
    names = [
        f"≤ {edges[0]}",
        *(f"{a} … {b}" for a, b in pairwise(edges)),
        f"> {edges[-1]}",
    ]
    trained = label.numbers.histogram.counts
    total, rows = max(1, sum(trained)), max(1, result.plan.rows)
    series = {
        "labels in training": [n / total for n in trained],
        "predictions": [n / rows for n in counted.histogram],
    }
    return Section("Predictions", [figure(histogram(names, series, "Share of rows by value"))])


def _shards(result: BatchResult) -> Section:
    skipped = set(result.skipped)
    rows = []
    for shard, path in enumerate(result.files):
        first, last = result.plan.span(shard)
        rows.append((path.name, last - first, "reused" if shard in skipped else "computed"))
    return Section("Shards", [table(["Part", "Rows", "This run"], rows, numeric={1})])


def _training_label(result: BatchResult) -> Column | None:
    """The label's column in the frozen baseline of the bundle, where there is one."""
    if not (result.bundle.folder / "profile.json").is_file():
        return None
    return Profile.read(result.bundle.folder).label


def _edges(label: Column | None) -> tuple[float, ...]:
    return label.numbers.histogram.edges if label and label.numbers else ()


def _no_baseline() -> str:
    return note("The model's bundle holds no baseline of the label to compare with.")


def _shown(value: object) -> str:
    """A class as text, the same for a label of the profile and for a predicted one."""
    return str(value).lower() if isinstance(value, bool) else str(value)
