"""The whole file, and the sections that are about the project itself."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from evergreen.project.model.data import FeatureGroup, Label, Source, Storage
from evergreen.project.model.engine import Engine, Spark
from evergreen.project.model.evaluation import Evaluation, Gates, Prediction, SliceBy
from evergreen.project.model.repair import RepairPolicy
from evergreen.project.model.rollout import Rollout
from evergreen.project.model.selection import Selection
from evergreen.project.model.serving import Serving
from evergreen.project.model.strategy import LongTail
from evergreen.project.model.training import Model, Split
from evergreen.project.model.values import Column, Columns, Memory, Name, Section, SourceName


class Success(Section):
    """What must be true of the topline metric for the project to count as a success.

    Attributes:
        metric: The topline metric.
        target: What it must reach, in words.
        by: Until when.
    """

    metric: str
    target: str
    by: date | None = None


class Scoping(Section):
    """Why the model exists; read by people, by the report, and by the diagnosis (wrong target → scoping).

    Attributes:
        problem: What goes wrong today, and for whom.
        users: Who acts on the predictions, and how.
        topline_metric: The number that the business looks at.
        label_metric: The number that the model is measured by.
        relation: Why the second moves the first.
        success: When the project has succeeded.
    """

    problem: str = ""
    users: str = ""
    topline_metric: str = ""
    label_metric: str = ""
    relation: str = ""
    success: Success | None = None


class Resources(Section):
    """What one task may use.

    Attributes:
        memory: Of a task that works on data; DuckDB spills to the disk before it takes more.
        threads: Default: every core.
    """

    memory: Memory = "1GiB"
    threads: Annotated[int, Field(ge=1, le=256)] | None = None


class Project(Section):
    """One project file: it drives every pipeline.

    Attributes:
        version: Of the file's format.
        name: The project's name, and its model's in the registry.
        scoping: Why the model exists.
        storage: Where results are kept.
        sources: The tables, by name.
        entity: The columns that say whom or what a row is about.
        time: The column of the label's source that says as of when a row asks. No feature is ever later.
        label: What is predicted.
        task: `auto` goes by the label: text, booleans and up to 20 whole numbers are classes (two of them
            make it binary), other numbers a regression.
        features: What it is predicted from.
        repair: By source and column: what to do with values that are written wrongly, or do not fit.
        split: How rows become train, validation and test.
        selection: Which of the features the model gets.
        model: The estimator and the search over its parameters.
        evaluation: What is measured.
        slices: Parts of the rows that are measured on their own.
        long_tail: What small data is, and which slices are its long tail.
        gates: What stops a run.
        predict: Batch prediction.
        serving: How the model is served.
        rollout: How a candidate becomes the baseline.
        resources: What one task may use.
        engine: What joins the training set and writes its snapshot: `duckdb`, one machine and streamed, or
            `spark`, for more than one machine holds. Both give the same rows.
        spark: Where Spark runs, with `engine: spark`.
    """

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
    selection: Selection = Field(default_factory=Selection)
    model: Model = Field(default_factory=Model)
    evaluation: Evaluation = Field(default_factory=Evaluation)
    slices: list[SliceBy] = Field(default_factory=list)
    long_tail: LongTail = Field(default_factory=LongTail)
    gates: Gates = Field(default_factory=Gates)
    predict: Prediction = Field(default_factory=Prediction)
    serving: Serving = Field(default_factory=Serving)
    rollout: Rollout = Field(default_factory=Rollout)
    resources: Resources = Field(default_factory=Resources)
    engine: Engine = "duckdb"
    spark: Spark = Field(default_factory=Spark)
