"""The sections about what data must hold: the gate on data, rules on rows, references between sources."""

from typing import Annotated

from pydantic import Field

from evergreen.project.model.values import Columns, Mode, Name, Section, SourceName


class DataRule(Section):
    """A condition that every row of a table must meet.

    Attributes:
        name: What findings call it.
        check: A condition in SQL on the table's columns, such as `price >= 0 AND price < 10000`; a row
            for which it is false or unknown breaks the rule.
        source: The source whose rows are held to it; default: the training set.
        max_share: Share of rows that may break it.
        mode: What a no does; default: the gate's.
    """

    name: Name
    check: Annotated[str, Field(min_length=1)]
    source: SourceName | None = None
    max_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    mode: Mode | None = None


class Reference(Section):
    """Columns of a source whose values must stand in another source.

    Attributes:
        columns: Of this source.
        source: The other source.
        to: The columns there; default: of the same names.
        max_share: Share of rows whose values may be absent there; a row without a value counts as none.
    """

    columns: Annotated[Columns, Field(min_length=1)]
    source: SourceName
    to: Columns | None = None
    max_share: Annotated[float, Field(ge=0, le=1)] = 0.0


class Volume(Section):
    """How many rows a source must have.

    Attributes:
        min: At least so many.
        max: At most so many.
    """

    min: Annotated[int, Field(ge=0)] | None = None
    max: Annotated[int, Field(ge=0)] | None = None


class DataGate(Section):
    """The gate on the training data: schema, volume and drift against the baseline, rules.

    Attributes:
        mode: What a no on schema or volume does: `fail` stops the run, `warn` reports, `off` records only.
        max_missing: Share of a feature's values that may be missing.
        min_rows: Rows that the training set must have.
        drift: What drift does: `fail` stops the run, `warn` reports, `off` records only.
        psi_warn: Population stability index of a feature from which its drift is worth a look.
        psi_alarm: Population stability index of a feature from which it has drifted.
        rules: Conditions of your own, in SQL.
    """

    mode: Mode = "fail"
    max_missing: Annotated[float, Field(ge=0, le=1)] = 0.99
    min_rows: Annotated[int, Field(ge=1)] = 50
    drift: Mode = "warn"
    psi_warn: float = 0.1
    psi_alarm: float = 0.25
    rules: list[DataRule] = Field(default_factory=list)
