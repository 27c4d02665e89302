"""The project file as data: one frozen pydantic model per section, unknown fields refused.

`evergreen.project.load` turns a YAML file into a `Project` and reports every fault with its line.
Durations are written `30d`, `12h`, `15m` or `45s` and held as `datetime.timedelta`.
"""

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

_UNITS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = "a duration such as 30d, 12h or 15m"


class Refused(ValueError):
    """A value that a section refuses, in words that an error message shows as they are."""

    def __init__(self, found: str, expected: str, remedy: str = "") -> None:
        self.found, self.expected, self.remedy = found, expected, remedy
        super().__init__(f"{found}; expected {expected}")


def parse_duration(value: object) -> object:
    """Turn `30d`, `2w`, `12h`, `15m` or `45s` into a `timedelta`; other types pass through.

    Raises:
        Refused: for text that is not a number followed by one of the units, or more than 100 years.
    """
    if isinstance(value, timedelta) or not isinstance(value, str | int | float):
        return value
    match = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*([wdhms])\s*", str(value), re.ASCII)
    if not match:
        raise Refused(repr(value), _DURATION, "Write the number with its unit: w, d, h, m or s.")
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > 100 * 366 * 86400:
        raise Refused(repr(value), "a duration of at most 100 years")
    return timedelta(seconds=seconds)


def format_duration(value: timedelta) -> str:
    """Write a duration in the largest unit that holds it exactly: `timedelta(days=2)` is `2d`."""
    seconds = value.total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)
]
Name = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_-]{0,62}$",
        description="a name of at most 63 lower-case letters, digits, `-` and `_`, first a letter",
    ),
]
SourceName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$",
        description="a name of at most 63 letters, digits and `_`, first no digit",
    ),
]
Column = Annotated[str, Field(min_length=1, max_length=255, description="a column's name")]
SklearnPath = Annotated[
    str,
    Field(
        pattern=r"^sklearn(\.[A-Za-z_][A-Za-z0-9_]*)+$",
        description="an import path in scikit-learn such as sklearn.linear_model.LogisticRegression",
    ),
]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Memory = Annotated[
    str, Field(pattern=r"^\d+(\.\d+)?(MiB|GiB)$", description="an amount of memory such as 512MiB or 2GiB")
]
Mode = Literal["fail", "warn", "off"]
ColumnType = Literal["integer", "number", "text", "category", "boolean", "timestamp", "date"]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Columns = Annotated[
    list[Column], BeforeValidator(_as_list), Field(description="a column's name, or a list of names")
]
_IN_ORDER = Field(union_mode="left_to_right")  # a bare word such as `"*"` before the list of one column


class Section(BaseModel):
    """Base of every section: frozen, and a field that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, ser_json_inf_nan="constants")


class Success(Section):
    """What must be true of the topline metric for the project to count as a success."""

    metric: str
    target: str
    by: date | None = None


class Scoping(Section):
    """Why the model exists; read by people, by the report, and by the diagnosis (wrong target → scoping)."""

    problem: str = ""
    users: str = ""
    topline_metric: str = ""
    label_metric: str = ""
    relation: str = ""
    success: Success | None = None


class Storage(Section):
    """Where registry, snapshots and predictions live; `--store` and EVERGREEN_STORE override `root`.

    Credentials never stand here: they come from the environment (AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS), on a cluster from a Kubernetes Secret.
    """

    root: str | None = None
    endpoint: str | None = None


class Source(Section):
    """One table: files at `path`, or a DuckDB `sql` query over the other sources by their names.

    `path` is local or `s3://` or `gs://`, may hold `*` and one date pattern such as `{YYYY}-{MM}-{DD}`
    (also `{HH}`); then `last` keeps the newest N spans and `span` names one. `delay` is how much later than
    `time` a row becomes known. `key` names columns that are unique together.
    """

    path: str | list[str] | None = None
    format: Literal["auto", "csv", "jsonl", "parquet", "delta"] = "auto"
    sql: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    columns: Columns | None = None
    types: dict[str, ColumnType] = Field(default_factory=dict)
    time: Column | None = None
    delay: Duration = timedelta(0)
    key: Columns | None = None
    span: str | None = None
    last: Annotated[int, Field(ge=1)] | None = None
    allow_empty: bool = False

    @model_validator(mode="after")
    def _one_origin(self) -> "Source":
        if (self.path is None) == (self.sql is None):
            found = "both `path` and `sql`" if self.sql else "neither `path` nor `sql`"
            raise Refused(found, "exactly one of them")
        return self


class Label(Section):
    """What is predicted: a column of a source, one row per (entity, time).

    `maturity` is how long after `time` the label is final; rows whose label is younger than that at
    `observed_until` (default: now) are immature and stay out of training.
    """

    source: SourceName
    column: Column
    positive: str | int | float | bool | None = None
    maturity: Duration = timedelta(0)
    observed_until: datetime | None = None
    key: Columns | None = None


AggregateFunction = Literal["count", "sum", "mean", "min", "max", "std", "distinct", "recency"]


class Aggregate(Section):
    """Functions of a column over windows that end at the label's time; `recency`: days since the last row."""

    column: Column | None = None
    functions: Annotated[list[AggregateFunction], Field(min_length=1)]
    windows: Annotated[list[Duration], Field(min_length=1)] | None = None
    where: str | None = None

    @model_validator(mode="after")
    def _column_where_needed(self) -> "Aggregate":
        needing = [f for f in self.functions if f not in ("count", "recency")]
        if needing and self.column is None:
            raise Refused("no `column`", f"the column that {', '.join(needing)} is computed from")
        if self.windows is None and [f for f in self.functions if f != "recency"]:
            raise Refused("no `windows`", "windows such as [7d, 30d] for every function but recency")
        return self


class FeatureGroup(Section):
    """Features from one source.

    From the label's own source, `columns` are taken from the label's row. From another source they are the
    latest values known at the label's time (as-of join on `on`, at most `tolerance` old), and `aggregates`
    are computed over the rows known by then. `columns: "*"` takes every column that is not a key, the time
    or the label. A source without `time` is joined by `on` as a constant.
    """

    name: SourceName
    source: SourceName
    on: Columns | None = None
    columns: Annotated[Literal["*"] | Columns | None, _IN_ORDER] = None
    exclude: Columns = Field(default_factory=list)
    tolerance: Duration | None = None
    aggregates: list[Aggregate] = Field(default_factory=list)

    @model_validator(mode="after")
    def _something(self) -> "FeatureGroup":
        if self.columns is None and not self.aggregates:
            raise Refused("neither `columns` nor `aggregates`", "one of them, or both")
        return self


class RepairPolicy(Section):
    """What to do with values of a column that do not fit its type."""

    type: ColumnType | None = None
    invalid: Literal["fail", "missing", "drop"] = "fail"
    missing: list[str] = Field(default_factory=list)
    future: Literal["fail", "drop"] = "fail"


class Split(Section):
    """How rows become train, validation and test.

    `time`: the newest rows are the test set. `entity`: by a hash of `by` (default: the entity), so no entity
    stands in two parts. `stratified`: at random within each label value. `refuse` names the leaks that stop
    the run: `entity` (one entity in two parts), `future` (a training row later than a test row).
    """

    method: Literal["auto", "time", "entity", "stratified"] = "auto"
    validation: Fraction = 0.2
    test: Fraction = 0.2
    by: Columns | None = None
    refuse: list[Literal["entity", "future"]] = Field(default_factory=list)
    seed: int = 17

    @model_validator(mode="after")
    def _room_for_training(self) -> "Split":
        if self.validation + self.test >= 0.95:
            found = f"`validation` {self.validation} and `test` {self.test}"
            raise Refused(found, "a sum less than 0.95, so that training keeps 5 % of the rows")
        return self


class Step(Section):
    """One scikit-learn transformer or estimator, by its import path."""

    use: SklearnPath
    params: dict[str, Any] = Field(default_factory=dict)
    columns: Annotated[Literal["numbers", "categories", "rest"] | Columns | None, _IN_ORDER] = None


class Range(Section):
    """A number's range in the search space; `integer` and `log` as in Optuna."""

    low: float
    high: float
    log: bool = False
    integer: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if self.low >= self.high:
            raise Refused(f"`low` {self.low:g} and `high` {self.high:g}", "`low` less than `high`")
        if self.log and self.low <= 0:
            raise Refused(f"`low` {self.low:g} with `log`", "`low` greater than 0, since 0 has no logarithm")
        if self.integer and (self.low % 1 or self.high % 1):
            raise Refused(f"`low` {self.low:g} and `high` {self.high:g} with `integer`", "whole numbers")
        return self


class Choice(Section):
    """A choice in the search space."""

    choices: Annotated[list[str | int | float | bool | None], Field(min_length=1)]


class Tune(Section):
    """Search over the estimator's parameters.

    The search is split into `parallel` independent, seeded studies (tasks on a cluster, processes locally),
    so the result depends on this section alone, never on the machine. `timeout` ends it early.
    """

    trials: Annotated[int, Field(ge=1)] = 20
    parallel: Annotated[int, Field(ge=1, le=256)] = 2
    timeout: Duration | None = None
    folds: Annotated[int, Field(ge=2, le=20)] = 3
    prune: bool = True
    max_rows: Annotated[int, Field(ge=100)] = 200_000
    space: Annotated[dict[str, Range | Choice], Field(min_length=1)]


class Model(Section):
    """The estimator, the transform before it, and the search over its parameters.

    `transform: auto` imputes, scales and encodes by column type inside the same scikit-learn Pipeline;
    a list of steps replaces it. `estimator: auto` is gradient boosting for the task.
    """

    estimator: Literal["auto"] | SklearnPath = "auto"
    params: dict[str, Any] = Field(default_factory=dict)
    transform: Literal["auto"] | list[Step] = "auto"
    max_categories: Annotated[int, Field(ge=2, le=254)] = 50
    class_weight: Literal["balanced"] | None = None
    seed: int = 17
    max_rows: Annotated[int, Field(ge=100)] | None = None
    tune: Tune | None = None


class SliceBy(Section):
    """Slices by the values of a column, or by ranges of a number at `edges`."""

    column: Column
    edges: list[float] | None = None
    top: Annotated[int, Field(ge=1, le=200)] = 20


MetricName = Literal[
    "accuracy", "balanced_accuracy", "roc_auc", "average_precision", "log_loss", "brier", "f1", "precision",
    "recall", "calibration_error", "rmse", "mae", "median_absolute_error", "r2", "mape", "ndcg",
]  # fmt: skip


class Evaluation(Section):
    """What is measured; no `metrics` means those that fit the task, `primary` leads in reports and tuning."""

    primary: MetricName | None = None
    metrics: list[MetricName] = Field(default_factory=list)
    bootstrap: Annotated[int, Field(ge=50, le=10_000)] = 200
    confidence: Fraction = 0.95
    group: Column | None = None
    min_slice_rows: Annotated[int, Field(ge=1)] = 30


class Threshold(Section):
    """An absolute bound on a metric of the test set; `slice` is `overall`, `*` (every slice) or one slice."""

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

    `max_loss` counts in the metric's own unit and in its worse direction (AUC falls, RMSE rises). The gate
    says no when the candidate is worse by more than `max_loss` with `confidence` (paired bootstrap).
    """

    metric: MetricName
    max_loss: Annotated[float, Field(ge=0)] = 0.0
    slice: str = "overall"


class ModelGate(Section):
    """The gate between evaluation and push."""

    mode: Mode = "fail"
    thresholds: list[Threshold] = Field(default_factory=list)
    changes: list[Change] = Field(default_factory=list)


class DataGate(Section):
    """The gate on the training data: schema, volume and drift against the baseline."""

    mode: Mode = "fail"
    max_missing: Annotated[float, Field(ge=0, le=1)] = 0.99
    min_rows: Annotated[int, Field(ge=1)] = 50
    drift: Mode = "warn"
    psi_warn: float = 0.1
    psi_alarm: float = 0.25


class Gates(Section):
    """Every gate of the train pipeline."""

    data: DataGate = Field(default_factory=DataGate)
    model: ModelGate = Field(default_factory=ModelGate)


class Prediction(Section):
    """Batch prediction: the rows to score come from `source` (default: the label's source).

    `alias` is the registry alias that must be blessed; `shard_rows` bounds memory and the work a retry
    repeats.
    """

    source: SourceName | None = None
    alias: Name = "baseline"
    shard_rows: Annotated[int, Field(ge=1000)] = 100_000
    keep: Columns = Field(default_factory=list)


class Resources(Section):
    """What one task may use."""

    memory: Memory = "1GiB"
    threads: Annotated[int, Field(ge=1, le=256)] | None = None


class Project(Section):
    """One project file: it drives every pipeline."""

    version: Literal[1] = 1
    name: Name
    scoping: Scoping = Field(default_factory=Scoping)
    storage: Storage = Field(default_factory=Storage)
    sources: Annotated[dict[SourceName, Source], Field(min_length=1)]
    entity: Columns = Field(default_factory=list)
    time: Column | None = None
    label: Label
    task: Literal["auto", "binary", "multiclass", "regression", "ranking"] = "auto"
    features: Annotated[list[FeatureGroup], Field(min_length=1)]
    repair: dict[str, dict[Column, RepairPolicy]] = Field(default_factory=dict)
    split: Split = Field(default_factory=Split)
    model: Model = Field(default_factory=Model)
    evaluation: Evaluation = Field(default_factory=Evaluation)
    slices: list[SliceBy] = Field(default_factory=list)
    gates: Gates = Field(default_factory=Gates)
    predict: Prediction = Field(default_factory=Prediction)
    resources: Resources = Field(default_factory=Resources)
