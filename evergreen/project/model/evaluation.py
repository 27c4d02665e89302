"""The sections about what a model must show: metrics, slices, gates; and about predicting with it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from evergreen.project.model.labels import LabelGate
from evergreen.project.model.skew import SkewGate
from evergreen.project.model.validation import DataGate
from evergreen.project.model.values import (
    Column,
    Columns,
    Fraction,
    Mode,
    Name,
    Refused,
    Section,
    SourceName,
)

MetricName = Literal[
    "accuracy", "balanced_accuracy", "roc_auc", "average_precision", "log_loss", "brier", "f1", "precision",
    "recall", "calibration_error", "rmse", "mae", "median_absolute_error", "r2", "mape", "ndcg",
]  # fmt: skip


class SliceBy(Section):
    """Slices by the values of a column, or by ranges of a number.

    Attributes:
        column: A feature, by its name in the training set, or a column of the label's source.
        edges: For a number: where one range ends and the next begins.
        top: At most so many values, the most frequent first; the others are taken together.
    """

    column: Column
    edges: list[float] | None = None
    top: Annotated[int, Field(ge=1, le=200)] = 20


class Evaluation(Section):
    """What is measured on the validation and the test set.

    Attributes:
        primary: The metric that leads in reports, and that tuning improves.
        metrics: What else is measured; default: what fits the task.
        bootstrap: Resamples for the confidence intervals.
        confidence: Of the intervals.
        group: For a ranking: the column whose rows are ranked together.
        min_slice_rows: A slice with fewer rows is measured, but never stops a run.
    """

    primary: MetricName | None = None
    metrics: list[MetricName] = Field(default_factory=list)
    bootstrap: Annotated[int, Field(ge=50, le=10_000)] = 200
    confidence: Fraction = 0.95
    group: Column | None = None
    min_slice_rows: Annotated[int, Field(ge=1)] = 30


class Threshold(Section):
    """An absolute bound on a metric of the test set.

    Attributes:
        metric: The metric.
        min: It must be at least this.
        max: It must be at most this.
        slice: `overall`, `*` (every slice of `slices`), or one slice such as `country=DE`; `long_tail`
            (all of the long tail together), `long_tail:*` (each of its slices) or one such as
            `long_tail:price (high)`.
    """

    metric: MetricName
    min: float | None = None
    max: float | None = None
    slice: str = "overall"

    @model_validator(mode="after")
    def _one_bound(self) -> "Threshold":
        if self.min is None and self.max is None:
            raise Refused("neither `min` nor `max`", "one of them, or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise Refused(f"`min` {self.min:g} and `max` {self.max:g}", "`min` at most `max`")
        return self


class Change(Section):
    """A bound on how much worse than the blessed baseline a metric may be, on the same rows.

    Attributes:
        metric: The metric.
        max_loss: How much worse it may be, in the metric's own unit and in its worse direction (AUC falls,
            RMSE rises). The gate says no when the candidate is worse by more than this with the
            evaluation's `confidence` (paired bootstrap).
        slice: `overall`, `*`, one slice, or `long_tail`, `long_tail:*` and `long_tail:…`, as in a threshold.
    """

    metric: MetricName
    max_loss: Annotated[float, Field(ge=0)] = 0.0
    slice: str = "overall"


class ModelGate(Section):
    """The gate between evaluation and push.

    The slices of the long tail are held by their intervals, which are wider for few rows and for the number
    of slices: only one that lies wholly beyond the bound says no, and one with fewer test rows than
    `long_tail.min_rows` never does. Without a bound of their own, `changes` of the whole test set are watched
    in them and warn.

    Attributes:
        mode: What a no does: `fail` stops the run, `warn` reports, `off` records only.
        thresholds: Absolute bounds.
        changes: Bounds against the model in production; skipped while there is none.
    """

    mode: Mode = "fail"
    thresholds: list[Threshold] = Field(default_factory=list)
    changes: list[Change] = Field(default_factory=list)


class Gates(Section):
    """Every gate of the train pipeline.

    Attributes:
        data: Between the training set and training.
        labels: Between the split and training: the labels themselves.
        model: Between evaluation and push.
        skew: Between what was trained on and what is served.
    """

    data: DataGate = Field(default_factory=DataGate)
    labels: LabelGate = Field(default_factory=LabelGate)
    model: ModelGate = Field(default_factory=ModelGate)
    skew: SkewGate = Field(default_factory=SkewGate)


class Prediction(Section):
    """Batch prediction.

    Attributes:
        source: The rows to score; default: the label's source. It needs the columns that features take from
            the label's row, and no label.
        alias: The alias in the registry whose model scores; it must be blessed.
        shard_rows: Rows scored at once: bounds the memory, and what a retry repeats.
        keep: Columns of the rows that stand beside the predictions, further to entity, time and key.
    """

    source: SourceName | None = None
    alias: Name = "baseline"
    shard_rows: Annotated[int, Field(ge=1000)] = 100_000
    keep: Columns = Field(default_factory=list)
