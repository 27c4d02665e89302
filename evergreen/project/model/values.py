"""What every section is made of: names, columns, durations, and the base class."""

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

_UNITS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_DURATION = "a duration such as 30d, 12h or 15m"


class Refused(ValueError):
    """A value that a section refuses, in words that an error message shows as they are."""

    def __init__(self, found: str, expected: str, remedy: str = "") -> None:
        self.found, self.expected, self.remedy = found, expected, remedy
        super().__init__(f"{found}; expected {expected}")


def parse_duration(value: object) -> object:
    """Turn `30d`, `2w`, `12h`, `15m` `45s` or `250ms` into a `timedelta`; other types pass through.

    Raises:
        Refused: for text that is not a number followed by one of the units, or more than 100 years.
    """
    if isinstance(value, timedelta) or not isinstance(value, str | int | float):
        return value
    match = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*([wdhms]|ms)\s*", str(value), re.ASCII)
    if not match:
        raise Refused(repr(value), _DURATION, "Write the number with its unit: w, d, h, m, s or ms.")
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
    if 0 < seconds < 1 and round(1000 * seconds, 6).is_integer():
        return f"{round(1000 * seconds)}ms"
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
_MEMORY_UNITS = {"MiB": 2**20, "GiB": 2**30}


def memory_bytes(memory: str) -> int:
    """A `Memory` such as `1.5GiB` in bytes."""
    return int(float(memory[:-3]) * _MEMORY_UNITS[memory[-3:]])


Mode = Literal["fail", "warn", "off"]
ColumnType = Literal["integer", "number", "text", "category", "boolean", "timestamp", "date"]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Columns = Annotated[
    list[Column], BeforeValidator(_as_list), Field(description="a column's name, or a list of names")
]
IN_ORDER = Field(union_mode="left_to_right")
"""Try a bare word such as `"*"` before the list of one column."""


class Section(BaseModel):
    """Base of every section: frozen, and a field that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, ser_json_inf_nan="constants")
