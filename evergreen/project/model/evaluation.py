"""The sections about what a model must show: metrics, slices, gates; and about predicting with it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

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
        slice: `overall`, `*` (every slice), or one slice such as `country=DE`.
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
        slice: `overall`, `*` (every slice), or one slice such as `country=DE`.
    """

    metric: MetricName
    max_loss: Annotated[float, Field(ge=0)] = 0.0
    slice: str = "overall"


class ModelGate(Section):
    """The gate between evaluation and push.

    Attributes:
        mode: What a no does: `fail` stops the run, `warn` reports, `off` records only.
        thresholds: Absolute bounds.
        changes: Bounds against the model in production; skipped while there is none.
    """

    mode: Mode = "fail"
    thresholds: list[Threshold] = Field(default_factory=list)
    changes: list[Change] = Field(default_factory=list)


class DataGate(Section):
    """The gate on the training data: schema, volume and drift against the baseline.

    Attributes:
        mode: What a no on schema or volume does: `fail` stops the run, `warn` reports, `off` records only.
        max_missing: Share of a feature's values that may be missing.
        min_rows: Rows that the training set must have.
        drift: What drift does: `fail` stops the run, `warn` reports, `off` records only.
        psi_warn: Population stability index of a feature from which its drift is worth a look.
        psi_alarm: Population stability index of a feature from which it has drifted.
    """

    mode: Mode = "fail"
    max_missing: Annotated[float, Field(ge=0, le=1)] = 0.99
    min_rows: Annotated[int, Field(ge=1)] = 50
    drift: Mode = "warn"
    psi_warn: float = 0.1
    psi_alarm: float = 0.25


class Gates(Section):
    """Every gate of the train pipeline.

    Attributes:
        data: Between the training set and training.
        model: Between evaluation and push.
    """

    data: DataGate = Field(default_factory=DataGate)
    model: ModelGate = Field(default_factory=ModelGate)


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
