"""What is different between two schemas, and schemas relaxed or tightened by what a table shows."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from evergreen.errors import InputError
from evergreen.near import did_you_mean
from evergreen.profile.model import Column, Profile
from evergreen.profile.schema.inference import infer_schema
from evergreen.profile.schema.model import ColumnSchema, Revision, Schema
from evergreen.reports.text import number, percent
from evergreen.tables.names import listed

# A type that takes the other's values too.
_WIDER = {("integer", "number"): "number", ("date", "timestamp"): "timestamp"}
_NAMES = {"minimum": "min", "maximum": "max"}
_SHOWN = 6


@dataclass(frozen=True)
class SchemaChange:
    """One field that is not what it was.

    Attributes:
        column: Its name; empty for a field of the schema.
        field: Such as `max_missing`; `column` where the column itself came or went.
        before: What it was, as text; empty for nothing.
        after: What it is.
        why: What called for it; empty in a comparison.
    """

    column: str
    field: str
    before: str
    after: str
    why: str = ""

    def __str__(self) -> str:
        where = f"{self.column}.{self.field}" if self.column else self.field
        text = f"{where}: {self.before or '(none)'} → {self.after or '(none)'}"
        return f"{text} ({self.why})" if self.why else text


def diff(
    before: Schema, after: Schema, why: Mapping[tuple[str, str], str] | None = None
) -> list[SchemaChange]:
    """What changed from one schema to another, column by column; version and history do not count.

    Args:
        before: The one.
        after: The other.
        why: By column and field, as `SchemaChange` has them.
    """
    reasons = why or {}
    found = [
        _change("", name, getattr(before, name), getattr(after, name), reasons)
        for name in ("tolerance", "key", "rows")
    ]
    for name in dict.fromkeys([*before.by_name, *after.by_name]):
        old, new = before.by_name.get(name), after.by_name.get(name)
        if old is None or new is None:
            shown = ["(absent)", (new or old).type]  # type: ignore[union-attr]
            first, second = shown if old is None else shown[::-1]
            found.append(SchemaChange(name, "column", first, second, reasons.get((name, "column"), "")))
            continue
        found += [
            _change(name, f.name, getattr(old, f.name), getattr(new, f.name), reasons)
            for f in fields(ColumnSchema) if f.name != "name"
        ]  # fmt: skip
    return [c for c in found if c is not None]


def _change(
    column: str, field: str, before: Any, after: Any, why: Mapping[tuple[str, str], str]
) -> SchemaChange | None:
    if before == after:
        return None
    return SchemaChange(
        column,
        _NAMES.get(field, field),
        _shown(field, before),
        _shown(field, after),
        why.get((column, field), ""),
    )


def _shown(field: str, value: Any) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, tuple):
        more = f" and {len(value) - _SHOWN} more" if len(value) > _SHOWN else ""
        return "[" + ", ".join(map(str, value[:_SHOWN])) + more + "]"
    if field.startswith("max_") or field == "tolerance":
        return percent(float(value))
    return (
        value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else number(value)
    )


Why = dict[tuple[str, str], str]


def relax(
    schema: Schema, profile: Profile, columns: Collection[str] = ()
) -> tuple[Schema, list[SchemaChange]]:
    """The schema with as much more room as a table needs to pass it, and what that changes.

    Args:
        schema: What is too strict.
        profile: Of the table that should pass.
        columns: Only these; default: all, and columns that are new are added.

    Raises:
        InputError: for a column that neither has.
    """
    _check(schema, profile, columns)
    why: Why = {}
    wanted = infer_schema(profile)
    made = []
    for old in schema.columns:
        chosen = not columns or old.name in columns
        made.append(_relaxed(old, profile.by_name.get(old.name), wanted, why) if chosen else old)
    for column in wanted.columns:
        if column.name not in schema.by_name and (not columns or column.name in columns):
            made.append(replace(column, required=False))
            why[column.name, "column"] = "the table has it"
    key = schema.key
    if key and not columns and not _unique(profile, key):
        key, why["", "key"] = (), "it is not unique in the table"
    return _result(schema, replace(schema, columns=tuple(made), key=key), why, "relax")


def _unique(profile: Profile, key: tuple[str, ...]) -> bool:
    """Whether the profile says that a key's values are all different; a column that is not there is no no."""
    if not set(key) <= set(profile.by_name) or (profile.key and set(profile.key) <= set(key)):
        return True
    return any(profile.by_name[k].unique for k in key)


def _relaxed(old: ColumnSchema, column: Column | None, wanted: Schema, why: Why) -> ColumnSchema:
    if column is None:
        if old.required:
            why[old.name, "required"] = "the table has no such column"
        return replace(old, required=False)
    new = wanted.by_name[old.name]
    changes: dict[str, tuple[Any, str]] = {}
    type_ = _common_type(old.type, new.type)
    if type_ != old.type:
        changes["type"] = (type_, f"it is {column.type} in the table")
    for field, share in (("max_missing", column.missing), ("max_invalid", column.invalid)):
        seen = share / column.rows if column.rows else 0.0
        if seen > getattr(old, field):
            changes[field] = (max(getattr(new, field), seen), f"{percent(seen)} in the table")
    changes |= _wider_domain(old, column) | _wider_range(old, column, new)
    if old.unique and column.unique is False:
        changes["unique"] = (False, "values stand twice in the table")
    why |= {(old.name, f): reason for f, (_, reason) in changes.items()}
    made = replace(old, **{f: value for f, (value, _) in changes.items()})
    if made.type in ("any", "nested") or (made.type not in (old.type, "number", "timestamp")):
        made = replace(made, domain=None, minimum=None, maximum=None)
    return made


def _common_type(old: str, new: str) -> str:
    if old == new or new == "any" or {old, new} == {"category", "text"} or (new, old) in _WIDER:
        return old
    return _WIDER.get((old, new), "any" if old != "any" else old)


def _wider_domain(old: ColumnSchema, column: Column) -> dict[str, tuple[Any, str]]:
    if old.domain is None or not column.values:
        return {}
    if not column.values.complete or column.values.other:
        return {"domain": (None, "more values than can be listed")}
    more = tuple(v for v, n in column.values.items if n and v not in old.domain)
    return {"domain": ((*old.domain, *sorted(more)), f"{len(more)} more in the table")} if more else {}


def _wider_range(old: ColumnSchema, column: Column, new: ColumnSchema) -> dict[str, tuple[Any, str]]:
    numbers = column.numbers
    if not numbers or numbers.minimum is None or numbers.maximum is None:
        return {}
    changes: dict[str, tuple[Any, str]] = {}
    for field, extreme, beyond in (("minimum", numbers.minimum, _less), ("maximum", numbers.maximum, _more)):
        bound = getattr(old, field)
        if bound is not None and beyond(extreme, _as_number(bound)):
            inferred = getattr(new, field)
            value = (
                inferred if inferred is not None else _moment(extreme) if isinstance(bound, str) else extreme
            )
            seen = _moment(extreme) if isinstance(bound, str) else number(extreme)
            changes[field] = (value, f"{seen} in the table")
    return changes


def _less(a: float, b: float) -> bool:
    return a < b


def _more(a: float, b: float) -> bool:
    return a > b


def _as_number(bound: float | str) -> float:
    if not isinstance(bound, str):
        return bound
    moment = datetime.fromisoformat(bound)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).replace(tzinfo=None).isoformat()


def tighten(
    schema: Schema, profile: Profile, columns: Collection[str] = ()
) -> tuple[Schema, list[SchemaChange]]:
    """The schema with as little room as a table would give, where that is less; and what it changes.

    Args:
        schema: What is too loose.
        profile: Of a table that is as it should be.
        columns: Only these; default: all.

    Raises:
        InputError: for a column that neither has.
    """
    _check(schema, profile, columns)
    why: Why = {}
    wanted = infer_schema(profile)
    made = [
        _tightened(old, wanted.by_name[old.name], why)
        if old.name in wanted.by_name and (not columns or old.name in columns) else old
        for old in schema.columns
    ]  # fmt: skip
    tighter = replace(schema, columns=tuple(made))
    if not columns and not schema.key and wanted.key:
        tighter, why["", "key"] = replace(tighter, key=wanted.key), "unique in the table"
    return _result(schema, tighter, why, "tighten")


def _tightened(old: ColumnSchema, new: ColumnSchema, why: Why) -> ColumnSchema:
    changes: dict[str, Any] = {}
    if old.type == "any" or (old.type, new.type) in (("number", "integer"), ("text", "category")):
        changes["type"] = new.type
    if not old.required:
        changes["required"] = True
    for field in ("max_missing", "max_invalid"):
        if getattr(new, field) < getattr(old, field):
            changes[field] = getattr(new, field)
    if new.domain is not None and (old.domain is None or set(new.domain) < set(old.domain)):
        changes["domain"] = new.domain
    for field, beyond in (("minimum", _more), ("maximum", _less)):
        bound, inferred = getattr(old, field), getattr(new, field)
        if inferred is not None and (bound is None or beyond(_as_number(inferred), _as_number(bound))):
            changes[field] = inferred
    if new.unique and not old.unique:
        changes["unique"] = True
    why |= {(old.name, field): "so in the table" for field in changes}
    return replace(old, **changes)


def _check(schema: Schema, profile: Profile, columns: Collection[str]) -> None:
    known = dict.fromkeys([*schema.by_name, *profile.by_name])
    for name in columns:
        if name not in known:
            raise InputError("--column", repr(name), f"one of {listed(known)}", did_you_mean(name, known))


def _result(before: Schema, after: Schema, why: Why, command: str) -> tuple[Schema, list[SchemaChange]]:
    named = {(c, _NAMES.get(f, f)): reason for (c, f), reason in why.items()}
    changes = diff(before, after, {**why, **named})
    if not changes:
        return before, []
    return revised(before, after, changes, command), changes


def revised(
    before: Schema, after: Schema, changes: list[SchemaChange], command: str = "", at: str = "", by: str = ""
) -> Schema:
    """A schema as the next version of another, with what changed in its history."""
    revision = Revision(before.version + 1, command, tuple(map(str, changes)), at, by)
    return replace(after, version=revision.version, history=(*before.history, revision))
