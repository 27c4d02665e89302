"""Quoting for SQL text that is put together from names and values of a project."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta


def identifier(name: str) -> str:
    """A column's or table's name as a quoted SQL identifier; quotes inside it are doubled.

    Raises:
        ValueError: for a name with a NUL character, which no table can have.
    """
    if "\0" in name:
        raise ValueError("a name must not hold a NUL character")
    return '"' + name.replace('"', '""') + '"'


def identifiers(names: Iterable[str]) -> str:
    """Several quoted identifiers, separated by commas."""
    return ", ".join(identifier(name) for name in names)


def literal(value: object) -> str:
    """A Python value as a SQL literal: NULL, boolean, number, text, date, timestamp, interval or list.

    A `datetime` with a time zone becomes UTC, one without is taken as UTC already: Evergreen's timestamps
    are UTC without a zone.

    Raises:
        TypeError: for any other type.
    """
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return str(value)
        case float():
            return f"'{value!r}'::DOUBLE"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case datetime():
            naive = value if value.tzinfo is None else (value - value.utcoffset()).replace(tzinfo=None)  # type: ignore[operator]
            return f"TIMESTAMP '{naive.isoformat(sep=' ')}'"
        case date():
            return f"DATE '{value.isoformat()}'"
        case timedelta():
            return f"to_microseconds({value // timedelta(microseconds=1)})"
        case list() | tuple():
            return "[" + ", ".join(literal(item) for item in value) + "]"
    raise TypeError(f"no SQL literal for {type(value).__name__}")
