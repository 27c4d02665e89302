"""Requests as the arrays that a model reads, and what is wrong with those that cannot be read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Any

import numpy as np

from evergreen.bundle.encode import MISSING_TEXT
from evergreen.bundle.signature import Signature
from evergreen.near import did_you_mean
from evergreen.serving.binary import Values
from evergreen.serving.protocol import InferRequest, Refusal, RowsRequest, Tensor, schema_error
from evergreen.serving.settings import Policy
from evergreen.serving.values import DATATYPES, JSON_TYPES, LARGEST, Column, Tally

_ONE_ROW = ([1], [1, 1])


@dataclass(slots=True)
class Read:
    """The rows of a request, as the model reads them.

    Attributes:
        rows: Their number.
        block: [columns, rows] of doubles, when every column is a number or a boolean and this way was quick.
        given: One array [rows] a column, when there is no block.
        tally: What was noticed.
    """

    rows: int
    block: np.ndarray | None = None
    given: list[np.ndarray] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    @property
    def arrays(self) -> np.ndarray | list[np.ndarray]:
        """One array [rows] a column, in the order of the signature; the block where there is one."""
        return self.given if self.block is None else self.block


class Columns:
    """Reads requests for one signature.

    Args:
        signature: What the model takes.
        max_rows: The most rows of one request.
        policy: What becomes of values and columns that do not fit.
    """

    def __init__(self, signature: Signature, max_rows: int, policy: Policy | None = None) -> None:
        policy = policy or Policy()
        self.signature, self.max_rows = signature, max_rows
        self._impute, self._ignore = policy.violations == "impute", policy.unknown_columns == "ignore"
        self._columns = [Column(i, signature.accepts_missing, self._impute) for i in signature.inputs]
        self._by_name = {column.name: column for column in self._columns}
        self._required = {column.name for column in self._columns if column.required}
        self._places = [sum(c.is_text == column.is_text for c in self._columns[:k])
                        for k, column in enumerate(self._columns)]  # fmt: skip
        self.all_numbers = not any(column.is_text for column in self._columns)

    def from_tensors(self, request: InferRequest, binary: Sequence[Values | None] = ()) -> Read:
        """Read a protocol request.

        Args:
            request: With one tensor a column, or one [rows, columns] when every column is a number.
            binary: For each tensor its binary values, or None; empty when there are none at all.

        Raises:
            Refusal: with status 400, naming the column, or 413 for too many rows.
        """
        tensors = request.inputs
        if not tensors:
            raise schema_error("inputs", "no tensor", "one tensor for each column of the model")
        if not binary:
            read = self._quick_tensors(tensors)
            if read is not None:
                return read
        return self._from_tensors(tensors, binary or [None] * len(tensors))

    def from_rows(self, request: RowsRequest) -> Read:
        """Read a `rows` request.

        Raises:
            Refusal: with status 400, naming row and column, or 413 for too many rows.
        """
        if len(request.rows) == 1:
            (row,) = request.rows
            if row.keys() <= self._by_name.keys() and self._required <= row.keys():
                read = self._quick_row([row.get(name) for name in self._by_name])
                if read is not None:
                    return read
        self._check_rows(len(request.rows))
        tally = Tally()
        for row in request.rows:
            self._check_names(row, 1, tally)
        arrays = [
            column.from_list([row.get(column.name) for row in request.rows], tally)
            for column in self._columns
        ]
        return Read(len(request.rows), given=arrays, tally=tally)

    def _quick_tensors(self, tensors: Sequence[Tensor]) -> Read | None:
        """One row in which nothing is wrong, which is what nearly every request is; None for any other."""
        given = {tensor.name: tensor for tensor in tensors}
        values: list[Any] = []
        left = len(tensors)
        for column in self._columns:
            tensor = given.get(column.name)
            if tensor is None:
                if column.required:
                    return None
                values.append(None)
                continue
            data = tensor.data
            if data is None or len(data) != 1 or tensor.shape not in _ONE_ROW:
                return None
            value = data[0]
            if type(value) not in JSON_TYPES.get(tensor.datatype, ()):
                return None
            values.append(value)
            left -= 1
        return None if left else self._quick_row(values)

    def _quick_row(self, values: Sequence[Any]) -> Read | None:
        numbers: list[float] = []
        texts: list[str] = []
        missing = 0
        for value, column in zip(values, self._columns, strict=True):
            if value is None or value == MISSING_TEXT:
                missing += 1
                if column.is_text:
                    texts.append(MISSING_TEXT)
                elif value is None and column.accepts_missing:
                    numbers.append(nan)
                else:
                    return None
            elif type(value) not in column.accepted:
                return None
            elif column.is_text:
                texts.append(value)
            elif -LARGEST <= value <= LARGEST and (not column.is_boolean or value in (0, 1)):
                numbers.append(value)
            else:
                return None
        block = np.array(numbers, dtype=np.float64).reshape(-1, 1)
        if self.all_numbers:
            return Read(1, block, tally=Tally(missing))
        words = np.array(texts, dtype=object).reshape(-1, 1)
        arrays = [
            words[place] if column.is_text else block[place]
            for column, place in zip(self._columns, self._places, strict=True)
        ]
        return Read(1, given=arrays, tally=Tally(missing))

    def _from_tensors(self, tensors: Sequence[Tensor], binary: Sequence[Values | None]) -> Read:
        first = tensors[0]
        rows = first.shape[0] if first.shape else 0
        self._check_rows(rows)
        tally = Tally()
        if self._is_table(tensors):
            return self._from_table(first, binary[0], rows, tally)
        given: dict[str, tuple[Tensor, Values | None]] = {}
        for tensor, values in zip(tensors, binary, strict=True):
            if tensor.name in given:
                raise schema_error(
                    f"column {tensor.name[:80]!r}", "given twice", "one tensor for each column"
                )
            given[tensor.name] = (tensor, values)
        self._check_names(given, rows, tally)
        arrays = [
            self._from_tensor(column, *given[column.name], rows, tally)
            if column.name in given
            else column.absent(rows, tally)
            for column in self._columns
        ]
        return Read(rows, given=arrays, tally=tally)

    def _from_tensor(
        self, column: Column, tensor: Tensor, binary: Values | None, rows: int, tally: Tally
    ) -> np.ndarray:
        where = f"column {tensor.name!r}"
        if tensor.datatype not in JSON_TYPES:
            expected = f"FP64, BOOL or BYTES; for this one {DATATYPES[column.spec.type]}"
            raise schema_error(where, f"datatype {tensor.datatype[:20]!r}", expected, column=column.name)
        if tensor.shape not in ([rows], [rows, 1]):
            expected = f"[{rows}] or [{rows}, 1], by the first input"
            raise schema_error(where, f"shape {tensor.shape[:8]}", expected, column=column.name)
        values = _flat(tensor, where) if binary is None else binary
        if len(values) != rows:
            found = f"{len(values)} values for shape {tensor.shape}"
            raise schema_error(where, found, f"{rows} values", column=column.name)
        if isinstance(values, list):
            return column.from_list(values, tally, tensor.datatype)
        return column.from_array(values, tally, tensor.datatype)

    def _is_table(self, tensors: Sequence[Tensor]) -> bool:
        """Whether the request is one tensor that holds every column, whatever its name."""
        if len(tensors) != 1 or not self.all_numbers or len(tensors[0].shape) != 2:
            return False
        return tensors[0].name not in self._by_name or tensors[0].shape[1] == len(self._columns) > 1

    def _from_table(self, tensor: Tensor, binary: Values | None, rows: int, tally: Tally) -> Read:
        """Every column of one tensor [rows, columns], in the order of the model's metadata."""
        where, width = f"tensor {tensor.name[:80]!r}", len(self._columns)
        if tensor.datatype not in JSON_TYPES:
            raise schema_error(where, f"datatype {tensor.datatype[:20]!r}", "FP64")
        if tensor.shape != [rows, width]:
            expected = f"[{rows}, {width}]: the model's columns in order, or one tensor for each of them"
            raise schema_error(where, f"shape {tensor.shape[:8]}", expected)
        values = _flat(tensor, where, width) if binary is None else binary
        if len(values) != rows * width:
            raise schema_error(where, f"{len(values)} values for shape {tensor.shape}", f"{rows * width}")
        arrays = [
            column.from_list(values[k::width], tally, tensor.datatype)
            if isinstance(values, list)
            else column.from_array(values[k::width], tally, tensor.datatype)
            for k, column in enumerate(self._columns)
        ]
        return Read(rows, given=arrays, tally=tally)

    def _check_rows(self, rows: int) -> None:
        if rows < 1:
            raise schema_error("request", "no rows", f"1 to {self.max_rows} rows")
        if rows > self.max_rows:
            raise Refusal(
                413, "size", "request", f"{rows} rows", f"at most {self.max_rows}",
                "Send fewer rows at a time, or use the pipeline predict_batch.",
            )  # fmt: skip

    def _check_names(self, given: Mapping[str, Any], rows: int, tally: Tally) -> None:
        """Refuse, or by policy count, columns that are unknown or absent; `rows` is what each counts for."""
        known = self._by_name.keys()
        if not given.keys() <= known:
            unknown = [name for name in given if name not in known]
            if not self._ignore:
                raise self._unknown(unknown[0])
            tally.imputed += rows * len(unknown)
        if not self._required <= given.keys():
            absent = [c.name for c in self._columns if c.required and c.name not in given]
            if not (self._impute and self.signature.accepts_missing and known & given.keys()):
                raise self._absent(absent)
            for name in absent:
                tally.impute(name, rows)
                tally.missing -= rows  # counted as imputed; the array's own count adds them again

    def _absent(self, names: Sequence[str]) -> Refusal:
        listed = ", ".join(repr(n) for n in names[:10]) + (
            f" and {len(names) - 10} more" if names[10:] else ""
        )
        return schema_error(
            f"column {names[0]!r}", f"not given (missing: {listed})", "every required column of the model",
            "A single value may be null.", names[0],
        )  # fmt: skip

    def _unknown(self, name: str) -> Refusal:
        hint = did_you_mean(name[:200], list(self._by_name), "The model's metadata lists them.")
        return schema_error(
            f"column {name[:80]!r}", "not one of the model's", "one of the model's columns", hint
        )


def _flat(tensor: Tensor, where: str, width: int = 1) -> list[Any]:
    """The values of a tensor's JSON, which may be nested by rows."""
    data = tensor.data
    if data is None:
        raise schema_error(where, "no data", "`data` with a JSON array, or the parameter binary_data_size")
    if not any(type(row) is list for row in data):
        return data
    if not all(type(row) is list and len(row) == width for row in data):
        raise schema_error(where, "rows of other lengths in `data`", f"{width} in each, or a flat list")
    return [value for row in data for value in row]
