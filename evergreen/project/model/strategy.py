"""The section about the size of the data and its long tail."""

from typing import Annotated

from pydantic import Field

from evergreen.project.model.values import Column, Fraction, Section


class LongTail(Section):
    """What counts as small data, and which slices are its long tail: small data inside large data.

    The slices are found in the training set on their own and are measured by the evaluation under the names
    `long_tail:…`; `gates.model` can hold them to bounds of their own.

    Attributes:
        small: Fewer rows than this are small data.
        tail_share: The entities, or the values of a column, with the fewest rows are its tail: as many of
            them as hold at most this share of the rows together.
        rare_share: A value, a pair of values or a range of a number is rare when at most this share of the
            rows has it.
        min_rows: A slice with fewer rows (of the test set, for a gate) is not judged: nothing can be said.
        slices: How many slices are kept at most.
        columns: The columns to look for them; default: every feature.
    """

    small: Annotated[int, Field(ge=1)] = 10_000
    tail_share: Fraction = 0.2
    rare_share: Fraction = 0.01
    min_rows: Annotated[int, Field(ge=5)] = 30
    slices: Annotated[int, Field(ge=1, le=100)] = 20
    columns: list[Column] | None = None
