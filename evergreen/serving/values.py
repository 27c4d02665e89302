"""The values of one column: checked by their type, never converted from another one; refused or imputed.

The arrays are those of `evergreen.bundle.encode`: doubles with NaN for a missing value, text with the empty
text for one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, NoReturn

import msgspec
import numpy as np

from evergreen.bundle.encode import MISSING_TEXT
from evergreen.bundle.signature import Input
from evergreen.serving.protocol import schema_error

_INTEGERS = [f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)]
_FLOATS = ["FP16", "FP32", "FP64"]
JSON_TYPES: dict[str, frozenset[type]] = {
    **dict.fromkeys(_INTEGERS, frozenset({int, NoneType})),
    **dict.fromkeys(_FLOATS, frozenset({float, int, NoneType})),
    "BOOL": frozenset({bool, NoneType}),
    "BYTES": frozenset({str, NoneType}),
}
ACCEPTED: dict[str, frozenset[type]] = {
    "number": frozenset({float, int, NoneType}),
    "boolean": frozenset({bool, int, float, NoneType}),
    "category": frozenset({str, NoneType}),
}
_EXPECTED = {
    "number": "a number (FP64, at most 3.4e38) or null",
    "boolean": "true, false (BOOL) or null",
    "category": "text (BYTES) or null",
}
# Trees and graphs compute with 32-bit floats: a larger number would become infinite there.
LARGEST = 3.4028234e38
DATATYPES = {"number": "FP64", "boolean": "BOOL", "category": "BYTES"}


@dataclass(slots=True)
class Tally:
    """What was noticed while a request was read.

    Attributes:
        missing: Values that were null, NaN, the empty text, or not given.
        imputed: Values that were taken for missing, or ignored, by policy.
        violations: Of them those that did not fit a column of the model, by column.
    """

    missing: int = 0
    imputed: int = 0
    violations: dict[str, int] = field(default_factory=dict)

    def impute(self, column: str, count: int) -> None:
        """Count values of a column that are taken for missing."""
        self.imputed += count
        self.violations[column] = self.violations.get(column, 0) + count


class Column:
    """One column of a model.

    Args:
        spec: What the model takes.
        accepts_missing: Whether the model takes missing numbers.
        impute: Take a value that does not fit for missing, instead of refusing the request.
    """

    def __init__(self, spec: Input, accepts_missing: bool, impute: bool) -> None:
        self.spec, self.name, self.required = spec, spec.name, spec.required
        self.is_text, self.is_boolean = spec.type == "category", spec.type == "boolean"
        self.accepts_missing = accepts_missing or self.is_text
        self.impute = impute and self.accepts_missing
        self.accepted = ACCEPTED[spec.type]
        self._by_datatype = {name: types & self.accepted for name, types in JSON_TYPES.items()}

    def absent(self, rows: int, tally: Tally) -> np.ndarray:
        """The array of a column that was not given."""
        return self.from_list([None] * rows, tally)

    def from_list(self, values: list[Any], tally: Tally, datatype: str = "") -> np.ndarray:
        """The array of values as JSON gives them.

        Args:
            values: One value a row.
            tally: Where to count.
            datatype: The tensor's, when the values come in one.

        Raises:
            Refusal: with status 400, naming row and value, unless it is imputed.
        """
        accepted = self._by_datatype[datatype] if datatype else self.accepted
        missing = values.count(None) + (values.count(MISSING_TEXT) if self.is_text else 0)
        if not (set(map(type, values)) <= accepted and self._in_range(values)):
            values = self._mended(values, accepted, datatype, tally)
        tally.missing += missing
        if self.is_text:
            texts = np.empty(len(values), dtype=object)
            texts[:] = [MISSING_TEXT if value is None else value for value in values]
            return texts
        if missing and not self.accepts_missing:
            self._refuse_missing(values.index(None))
        return np.array(values, dtype=np.float64)

    def from_array(self, array: np.ndarray, tally: Tally, datatype: str) -> np.ndarray:
        """The array of the numbers of a binary tensor; shares its memory where they are doubles.

        Raises:
            Refusal: as `from_list`.
        """
        if len(self._by_datatype[datatype]) < 2:  # nothing but null
            return self._wrong_datatype(len(array), datatype, tally)
        numbers = array.astype(np.float64, copy=False)
        absent = np.isnan(numbers)
        wrong = np.abs(numbers) > LARGEST
        if self.is_boolean:
            wrong = ~((numbers == 0) | (numbers == 1) | absent)
        missing = int(absent.sum())
        if wrong.any():
            if not self.impute:
                row = int(wrong.argmax())
                self._refuse(row, array[row].item(), _EXPECTED[self.spec.type])
            tally.impute(self.name, int(wrong.sum()))
            numbers = np.where(wrong, np.nan, numbers)
        tally.missing += missing
        if missing and not self.accepts_missing:
            self._refuse_missing(int(absent.argmax()))
        if missing:
            numbers = np.where(absent, np.nan, numbers)  # one NaN only: casting others warns
        return numbers

    def _in_range(self, values: Sequence[Any]) -> bool:
        """Whether values of the right types are small enough."""
        if self.is_text:
            return True
        if self.is_boolean:
            return set(values) <= {0, 1, None}
        return all(value is None or -LARGEST <= value <= LARGEST for value in values)

    def _fits(self, value: Any, accepted: frozenset[type]) -> bool:
        return type(value) in accepted and self._in_range((value,))

    def _mended(self, values: list[Any], accepted: frozenset[type], datatype: str, tally: Tally) -> list[Any]:
        """The values with None for those that do not fit."""
        fit = [self._fits(value, accepted) for value in values]
        if not self.impute:
            row = fit.index(False)
            right_type = type(values[row]) in self.accepted and type(values[row]) not in accepted
            expected = f"{datatype} or null" if right_type else _EXPECTED[self.spec.type]
            self._refuse(row, values[row], expected)
        tally.impute(self.name, fit.count(False))
        return [value if good else None for value, good in zip(values, fit, strict=True)]

    def _wrong_datatype(self, rows: int, datatype: str, tally: Tally) -> np.ndarray:
        if not self.impute:
            expected = DATATYPES[self.spec.type]
            raise schema_error(f"column {self.name!r}", f"datatype {datatype}", expected, column=self.name)
        tally.impute(self.name, rows)
        return np.full(rows, MISSING_TEXT, dtype=object) if self.is_text else np.full(rows, np.nan)

    def _refuse(self, row: int, value: Any, expected: str) -> NoReturn:
        shown = msgspec.json.encode(value).decode() if value == value else "NaN"
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        if value in (np.inf, -np.inf):
            shown = "an infinite number"
        raise schema_error(f"column {self.name!r}, row {row}", f"found {shown}", expected, column=self.name)

    def _refuse_missing(self, row: int) -> NoReturn:
        raise schema_error(
            f"column {self.name!r}, row {row}",
            "null",
            "a value: the model takes no missing ones",
            column=self.name,
        )
