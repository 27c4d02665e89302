"""The settings about labels: their gate, several labellers, and what people decided."""

from typing import Annotated, Literal

from pydantic import Field

from evergreen.project.model.values import Column, Columns, Mode, Section, SourceName

Share = Annotated[float, Field(ge=0, le=1)]


class Labellers(Section):
    """Several people, or systems, who label the same items: how far they agree.

    Attributes:
        source: The source with a row for each item, labeller and label.
        item: The columns that name the item; default: the label's key.
        labeller: The column that names who labelled.
        label: The column with what they said; default: the label's column.
        scale: How far apart two labels are: `nominal` (the same or not), or `interval` for numbers.
        min_agreement: Krippendorff's alpha that they must reach, by its upper confidence bound.
    """

    source: SourceName
    item: Columns | None = None
    labeller: Column
    label: Column | None = None
    scale: Literal["nominal", "interval"] = "nominal"
    min_agreement: Annotated[float, Field(ge=-1, le=1)] = 0.667


class LabelGate(Section):
    """The gate on the labels, between the split and training.

    Fewer than `small` rows are small data, where label accuracy comes first: every row is looked at, and the
    bounds are strict. In large data a seeded sample of `sample` rows is looked at, and twice the `tolerance`
    is let pass.

    Attributes:
        mode: What a no does: `fail` stops the run, `warn` reports, `off` records only. What is found but
            stays below the limits here warns.
        small: Rows from which data counts as large.
        sample: Of large data: rows to look at for wrong labels and near duplicates.
        max_missing: Share of the rows that may lack a label.
        max_immature: Share of the rows whose label may be immature.
        tolerance: Share of wrong labels, by its lower confidence bound, from which they are reported.
        max_noise: Share of wrong labels from which the gate says no: as estimated in small data, by its lower
            confidence bound in large.
        max_conflicting: Share of rows that may have a twin with another label.
        max_duplicates: Share of the rows of validation and test that may be copies of training rows.
        min_class_rows: Rows that every class must have.
        review: At most so many rows in the list to review.
        labellers: Where several labellers' labels are.
    """

    mode: Mode = "fail"
    small: Annotated[int, Field(ge=100)] = 10_000
    sample: Annotated[int, Field(ge=100, le=100_000)] = 10_000
    max_missing: Share = 0.05
    max_immature: Share = 0.5
    tolerance: Share = 0.01
    max_noise: Share = 0.05
    max_conflicting: Share = 0.01
    max_duplicates: Share = 0.01
    min_class_rows: Annotated[int, Field(ge=1)] = 8
    review: Annotated[int, Field(ge=1, le=100_000)] = 500
    labellers: Labellers | None = None
