"""SQL that turns a column of any DuckDB type into one of the six types of Evergreen's tables."""

from collections.abc import Sequence

from evergreen.ingest.infer import number_of, spelled, time_of
from evergreen.project.model import ColumnType
from evergreen.tables.kinds import Kind
from evergreen.tables.sql import identifier

SQL_TYPES: dict[ColumnType, str] = {
    "integer": "BIGINT",
    "number": "DOUBLE",
    "text": "VARCHAR",
    "category": "VARCHAR",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
}
_BOOLEANS = (("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0"))
# Integers are seconds, milliseconds or microseconds since 1970 when the largest is below these (year 2200).
_EPOCHS = ((7.3e9, 1_000_000), (7.3e12, 1_000), (7.3e15, 1))


def present(column: str, spellings: Sequence[str], is_text: bool) -> str:
    """SQL for a column's value, NULL where it is one of the spellings of a missing one."""
    name = identifier(column)
    if not spellings:
        return name
    text = f"trim({name if is_text else f'CAST({name} AS VARCHAR)'})"
    return f"CASE WHEN NOT {spelled(text, spellings)} THEN {name} END"


def converted(
    sql: str,
    kind: Kind,
    target: ColumnType,
    *,
    date_format: str = "",
    decimal: str = ".",
    largest: float | None = None,
) -> str:
    """SQL for a value as `target`; NULL where it does not fit.

    Args:
        sql: The value.
        kind: Its kind now.
        target: The type it gets.
        date_format: The `strptime` format of a text with dates that is not ISO 8601.
        decimal: `,` for numbers written 1.234,5.
        largest: The largest absolute value of an integer column: it tells the unit of a time since 1970.
    """
    if target in ("text", "category"):
        return _as_text(sql, kind)
    if kind in ("text", "nested"):
        return _from_text(f"trim(CAST({sql} AS VARCHAR), E' \\t\\r\\n')", target, date_format, decimal)
    same = None if kind in ("timestamp", "date") else kind
    if kind in ("timestamp", "date") and target in ("timestamp", "date"):
        return f"CAST(CAST({sql} AS TIMESTAMP) AS {SQL_TYPES[target]})"
    if kind == "integer" and target in ("timestamp", "date") and largest is not None:
        scale = next((s for bound, s in _EPOCHS if largest < bound), None)
        micros = f"{sql} * {scale}" if scale else f"{sql} // 1000"
        return f"CAST(make_timestamp(CAST({micros} AS BIGINT)) AS {SQL_TYPES[target]})"
    if same == target:
        return f"TRY_CAST({sql} AS BIGINT)" if kind == "integer" else _finite(sql, kind)
    if target == "number" and same:
        return f"CAST({sql} AS DOUBLE)"
    if target == "integer" and same:
        return f"CASE WHEN {sql} = trunc(CAST({sql} AS DOUBLE)) THEN TRY_CAST({sql} AS BIGINT) END"
    if target == "boolean" and same:
        return f"CASE WHEN {sql} = 1 THEN TRUE WHEN {sql} = 0 THEN FALSE END"
    return f"CAST(NULL AS {SQL_TYPES[target]})"


def tidied(sql: str) -> str:
    """SQL for a text from a file without types: no white space around it, a blank is missing."""
    return f"nullif(trim({sql}, E' \\t\\r\\n'), '')"


def fitted(column: str, target: ColumnType, date_format: str = "") -> str:
    """SQL for a text column all of whose values, but marks of missing ones, are known to fit; a short one."""
    name = identifier(column)
    if target == "number":
        return f"CASE WHEN isfinite(TRY_CAST({name} AS DOUBLE)) THEN TRY_CAST({name} AS DOUBLE) END"
    if target == "integer":
        return f"TRY_CAST({name} AS BIGINT)"
    trimmed = f"trim({name}, E' \\t\\r\\n')"
    if target == "boolean":
        return f"TRY_CAST({trimmed} AS BOOLEAN)"
    return f"CAST({time_of(trimmed, date_format)} AS {SQL_TYPES[target]})"


def natural(kind: Kind) -> ColumnType:
    """The type that a column of a kind gets when nobody says otherwise."""
    return "text" if kind == "nested" else kind


def _finite(sql: str, kind: Kind) -> str:
    """A number without NaN and infinities: no estimator takes them."""
    number = f"CAST({sql} AS DOUBLE)"
    return f"CASE WHEN isfinite({number}) THEN {number} END" if kind == "number" else sql


def _as_text(sql: str, kind: Kind) -> str:
    if kind == "nested":
        return f"CAST(to_json({sql}) AS VARCHAR)"
    if kind == "timestamp":
        return f"CAST(CAST({sql} AS TIMESTAMP) AS VARCHAR)"
    return f"CAST({sql} AS VARCHAR)"


def _from_text(text: str, target: ColumnType, date_format: str, decimal: str) -> str:
    number = f"CASE WHEN NOT contains({text}, '_') THEN {number_of(text, decimal)} END"
    match target:
        case "integer":
            plain = f"NOT regexp_matches({text}, '[._,eE]')"
            whole = f"WHEN ({number}) = trunc({number}) THEN TRY_CAST(({number}) AS BIGINT)"
            return f"CASE WHEN {plain} THEN TRY_CAST({text} AS BIGINT) {whole} END"
        case "number":
            return f"CASE WHEN isfinite({number}) THEN {number} END"
        case "boolean":
            yes, no = (spelled(text, words) for words in _BOOLEANS)
            return f"CASE WHEN {yes} THEN TRUE WHEN {no} THEN FALSE END"
        case "timestamp" | "date":
            time = time_of(text, date_format)
            time = f"coalesce(TRY_CAST({text} AS TIMESTAMP), {time})" if date_format else time
            return f"CAST({time} AS {SQL_TYPES[target]})"
    return text
