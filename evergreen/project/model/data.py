"""The sections about data: storage, sources, label, features, repair."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from evergreen.project.model.media import Media
from evergreen.project.model.retention import Retention
from evergreen.project.model.validation import Reference, Volume
from evergreen.project.model.values import (
    IN_ORDER,
    Column,
    Columns,
    ColumnType,
    Duration,
    Refused,
    Section,
    SourceName,
)

AggregateFunction = Literal["count", "sum", "mean", "min", "max", "std", "distinct", "recency"]


class Storage(Section):
    """Where registry, snapshots and predictions live.

    Credentials never stand here: they come from the environment (AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS), on a cluster from a Kubernetes Secret.

    Attributes:
        root: A folder, `s3://bucket/prefix` or `gs://bucket/prefix`; `--store` and EVERGREEN_STORE override
            it. Without any of the three it is `.evergreen/store` in the working directory.
        endpoint: URL of the S3 server when it is not Amazon's, such as `http://minio:9000`; default: from
            AWS_ENDPOINT_URL.
        retention: Which versions of snapshots stay.
    """

    root: str | None = None
    endpoint: str | None = None
    retention: Retention = Field(default_factory=Retention)


class Source(Section):
    """One table: files at `path`, or a DuckDB `sql` query over the other sources by their names.

    Attributes:
        path: One file, folder or pattern, or several: local (a relative one starts at the project file's
            folder), `s3://…`, `gs://…`, or `package://name/inside` for files in an installed Python
            package, which is not imported. May hold `*` and a date pattern of `{YYYY}`, `{MM}`, `{DD}` and
            `{HH}`.
        format: How the files are written; `auto` goes by the name's ending. `delta` is a Delta table's
            folder. `images` and `texts`: each file becomes a row that describes it.
        sql: One SELECT in DuckDB's SQL over other sources, in place of `path`. It reaches no file and no
            network.
        options: Of the reader: for CSV `delimiter`, `quote`, `encoding`, `skip`, `header`, `names`,
            `decimal`, `dateformat` and others; for Delta `version`.
        columns: The columns to keep; default: all.
        types: Types of columns, where the files do not say them or say them wrong. A value that does not
            fit stops the run unless `repair` says otherwise.
        time: The column that says when a row was true, or known. Makes point-in-time joins and windows
            possible.
        delay: How much later than `time` a row becomes known.
        key: Columns that are unique together; two rows with the same stop the run.
        span: With a date pattern: the one span to read, such as `2026-01-31`.
        last: With a date pattern: how many of the newest spans to read.
        allow_empty: Whether no rows, or no files, is as it should be; otherwise an error names the source.
        freshness: How much older than the run the newest `time` may be; `validate_data` tells older ones.
        rows: How many rows it must have; `validate_data` tells.
        references: Columns whose values must stand in other sources; `validate_data` tells.
        media: For `format: images` or `texts`: how files are read and compared.
    """

    path: str | list[str] | None = None
    format: Literal["auto", "csv", "jsonl", "parquet", "delta", "images", "texts"] = "auto"
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
    freshness: Duration | None = None
    rows: Volume | None = None
    references: list[Reference] = Field(default_factory=list)
    media: Media | None = None

    @model_validator(mode="after")
    def _media_fits(self) -> "Source":
        if self.media is not None and self.format not in ("images", "texts"):
            raise Refused(f"`media` with `format: {self.format}`", "`format: images` or `format: texts`")
        return self

    @model_validator(mode="after")
    def _one_origin(self) -> "Source":
        if (self.path is None) == (self.sql is None):
            found = "both `path` and `sql`" if self.sql else "neither `path` nor `sql`"
            raise Refused(found, "exactly one of them")
        return self


class Label(Section):
    """What is predicted: a column of a source, one row per (entity, time).

    Attributes:
        source: The source whose rows are the rows of the training set.
        column: The column with the label; rows without one stay out of training.
        positive: For two classes: the one whose probability the model gives. Default: true, or the greater.
        maturity: How long after `time` the label is final. Younger rows are immature and stay out of
            training.
        observed_until: The last moment that the label's source knows about; default: now. A row is immature
            when its `time` plus `maturity` is later than this.
        key: Columns that name a row; default: the source's `key`, else entity and time where both are
            given.
        decisions: What people decided about single labels (`evergreen labels review`): a JSON lines file, a
            relative one from the project file's folder, or an object's URI. Default: those that the store
            keeps for this project.
    """

    source: SourceName
    column: Column
    positive: str | int | float | bool | None = None
    maturity: Duration = timedelta(0)
    observed_until: datetime | None = None
    key: Columns | None = None
    decisions: str | None = None


class Aggregate(Section):
    """Functions of a column over windows that end at the label's time.

    Attributes:
        column: The column; `count` (of rows) and `recency` need none.
        functions: What to compute. `distinct` counts different values; `recency` is days since the last
            row.
        windows: How far back each reaches, such as `[7d, 30d]`; every function but `recency` needs them.
        where: A condition in SQL that rows must meet, such as `amount > 0`.
    """

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
    latest values known at the label's time (as-of join), and `aggregates` are computed over the rows known
    by then. A source without `time` is joined as a constant.

    Attributes:
        name: The group's name; it is a part of the names of aggregates, such as
            `spending__amount__sum_30d`.
        source: Where the columns come from.
        on: Columns that join another source with the label's rows; default: the project's `entity`.
        columns: Columns to take; `"*"` takes every one that is not a key, the time or the label.
        exclude: With `"*"`: columns to leave out.
        tolerance: How old the latest known value may be; older ones count as missing. Default: any age.
        aggregates: What to compute over windows of time.
    """

    name: SourceName
    source: SourceName
    on: Columns | None = None
    columns: Annotated[Literal["*"] | Columns | None, IN_ORDER] = None
    exclude: Columns = Field(default_factory=list)
    tolerance: Duration | None = None
    aggregates: list[Aggregate] = Field(default_factory=list)

    @model_validator(mode="after")
    def _something(self) -> "FeatureGroup":
        if self.columns is None and not self.aggregates:
            raise Refused("neither `columns` nor `aggregates`", "one of them, or both")
        return self
