"""The rules that single rows can break, from a schema, a baseline and a project, as SQL to be counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from evergreen.decisions import Mode
from evergreen.profile.counting.reading import Reader
from evergreen.profile.model import FAMILIES, Column, Profile
from evergreen.profile.schema.model import ColumnSchema, Schema
from evergreen.profile.schema.ranges import number_range
from evergreen.profile.validation.chance import level, unseen_rows
from evergreen.profile.validation.drift import new_values_floor
from evergreen.project.model import DataRule
from evergreen.reports.text import number
from evergreen.tables import literal

# A category of which every known value has so many rows has hardly another one that has a few: there the
# chance of the rows falling so is not shared among the columns.
_CLEAR, _CLEAR_CHANCE = 30, 4e-3
# An inferred range that rests on so many rows holds for each single one.
_MANY = 2000
_ALIKE = {"category": "text", "date": "timestamp"}


@dataclass(frozen=True)
class Rule:
    """A rule on the rows of one column, or of the table.

    Attributes:
        name: Such as `missing`, `domain`, `range`, `extremes`, or a user rule's `rule NAME`.
        column: Its name; empty for the table.
        breaks: SQL that is true for a row that breaks the rule.
        share: The share of rows that may break it.
        words: What is wrong with such rows.
        soft: Whether fewer rows than that warn; otherwise they pass.
        floor: Fewer rows than so many are chance, and pass.
        drift: Whether the mode of drift decides on it.
        reader: The column's; None for the table.
        mode: What a no does; None for the gate's.
    """

    name: str
    column: str
    breaks: str
    share: float
    words: str
    soft: bool = False
    floor: int = 1
    drift: bool = False
    reader: Reader | None = None
    mode: Mode | None = None


def row_rules(
    columns: Sequence[Reader], profile: Profile, schema: Schema, baseline: Profile | None,
    user: Sequence[DataRule] = (),
) -> list[Rule]:  # fmt: skip
    """Every rule whose breaks are counted in one pass over the table, in a fixed order.

    Args:
        columns: Of the table.
        profile: Of the table.
        schema: What it is held to.
        baseline: What it is compared with; None where there is none yet.
        user: Of the project file; those of other sources are left out by the caller.
    """
    rules: list[Rule] = []
    many = sum(c.domain is not None for c in schema.columns)
    for reader in columns:
        wanted, column = schema.by_name.get(reader.name), profile.by_name.get(reader.name)
        old = baseline.by_name.get(reader.name) if baseline else None
        if wanted and column and profile.rows and same_type(wanted, reader, column):
            rules += _schema_rules(wanted, reader, column, old, schema, many)
    rules += _extremes(columns, profile, baseline)
    rules += [
        Rule(f"rule {r.name}", "", f"({r.check}) IS NOT TRUE", r.max_share, f"break {r.name!r}", mode=r.mode)
        for r in user
    ]
    return rules


def same_type(wanted: ColumnSchema, reader: Reader, column: Column) -> bool:
    """Whether the rows can be checked; doubles may stand for integers, and the rows tell if all are whole."""
    expected, got = _ALIKE.get(wanted.type, wanted.type), _ALIKE.get(reader.type, reader.type)
    numbers = ("integer", "number")
    alike = expected == got or (expected in numbers and got in numbers)
    return alike or expected == "any" or column.missing == column.rows


def _schema_rules(
    wanted: ColumnSchema, reader: Reader, column: Column, old: Column | None, schema: Schema, many: int
) -> list[Rule]:
    tolerance = schema.tolerance if wanted.tolerance is None else wanted.tolerance
    value, name = reader.value, reader.name
    rules = [Rule("missing", name, f"{reader.raw} IS NULL", wanted.max_missing, "are missing", reader=reader)]
    if wanted.type == "any" or reader.family != _family(wanted):
        return rules  # all rows are missing, and the type says nothing
    if reader.floats or reader.family == "time":
        broken = f"{reader.raw} IS NOT NULL AND {value} IS NULL"
        rules.append(Rule("invalid", name, broken, wanted.max_invalid, "are NaN or infinite", reader=reader))
    if reader.floats and old and old.numbers and not _infinite(old):
        words = "are infinite, and none of the baseline's was"
        broken = f"isinf({reader.raw})"
        rules.append(Rule("invalid", name, broken, wanted.max_invalid, words, soft=True, reader=reader))
    strict = schema.rows == 0 or wanted.tolerance is not None
    fewest = 1 if strict else unseen_rows(column.rows, schema.rows, level("domain", many + 1))
    if wanted.type == "integer" and reader.type == "number":
        broken = f"{value} <> floor({value})"
        rules.append(Rule("type", name, broken, 0.0, "are not whole numbers", False, fewest, reader=reader))
    if wanted.domain is not None:
        broken = f"{value} NOT IN ({', '.join(literal(v) for v in wanted.domain)})"
        if not strict and old and old.values and old.values.complete and column.rows:
            fewest = _fewest_new(old, column.rows, fewest)
        rules.append(
            Rule("domain", name, broken, tolerance, "are outside its domain", True, fewest, reader=reader)
        )
    for bound, sign, words in ((wanted.minimum, "<", "below"), (wanted.maximum, ">", "above")):
        if bound is None:
            continue
        text = f"are {words} {bound if isinstance(bound, str) else number(bound)}"
        broken = f"{value} {sign} {literal(seconds(bound))}"
        # That nothing was negative is a rule once more rows break it than chance explains.
        sign_only = bound == 0 and sign == "<" and not strict
        hard = 1 if strict else _few_enough(column.rows, schema.rows)
        few = fewest if sign_only else hard
        rules.append(Rule("range", name, broken, tolerance, text, True, few, reader=reader))
        far = _far_below(old, reader) if sign_only else None
        if far is not None and far < 0:
            broken, text = f"{value} < {literal(far)}", f"are below {number(far)}"
            rules.append(Rule("range", name, broken, tolerance, text, True, hard, reader=reader))
    return rules


def _infinite(column: Column) -> int:
    assert column.numbers
    return column.numbers.positive_infinite + column.numbers.negative_infinite


def _few_enough(rows: int, seen: int) -> int:
    """How many rows out of an inferred range are no chance: of few rows a whole rare group may be unseen."""
    return 1 if seen >= _MANY else unseen_rows(rows, seen, _CLEAR_CHANCE)


def _far_below(old: Column | None, reader: Reader) -> float | None:
    """The bound that even one row may not be below, where the baseline was never negative."""
    if old is None or old.numbers is None:
        return None
    return number_range(old.numbers, whole=reader.type == "integer", signed=False)[0]


def _fewest_new(old: Column, rows: int, fewest: int) -> int:
    """How many rows with new values are no chance: few where no known value is rare, else more, by Good."""
    assert old.values
    seen = [n for _, n in old.values.items if n]
    if seen and min(seen) >= _CLEAR:
        return min(fewest, unseen_rows(rows, old.rows, _CLEAR_CHANCE))
    return fewest + int(new_values_floor(old, rows) * rows)


def _extremes(columns: Sequence[Reader], profile: Profile, baseline: Profile | None) -> list[Rule]:
    """Rows beyond the smallest and the largest value of the baseline: some are chance, many are not."""
    if not baseline:
        return []
    pairs = [
        (reader, old, new)
        for reader in columns
        if (old := baseline.by_name.get(reader.name)) and (new := profile.by_name.get(reader.name))
        and old.numbers and reader.family == old.family and old.role in ("feature", "label")
        and new.role != "time" and old.numbers.minimum is not None and old.numbers.maximum is not None
    ]  # fmt: skip
    rules = []
    for reader, old, new in pairs:
        assert old.numbers
        if not new.valid:
            continue
        fewest = unseen_rows(new.valid, old.valid, level("extremes", 2 * len(pairs)))
        late = ("earlier", "later") if reader.family == "time" else ("below", "above")
        bounds = (
            ("<", old.numbers.minimum, late[0], "smallest"),
            (">", old.numbers.maximum, late[1], "largest"),
        )
        for sign, bound, words, which in bounds:
            end = which if reader.family != "time" else "earliest" if sign == "<" else "latest"
            text = f"are {words}{' than' if reader.family == 'time' else ''} the baseline's {end}"
            broken = f"{reader.double} {sign} {float(bound or 0)!r}::DOUBLE"
            # Later rows are what a later table has: they warn, and never more.
            later = reader.family == "time" and sign == ">"
            rules.append(
                Rule("extremes", reader.name, broken, float(later), text, later, fewest, True, reader)
            )
    return rules


def _family(wanted: ColumnSchema) -> str:
    return FAMILIES.get(_ALIKE.get(wanted.type, wanted.type), "other")


def seconds(bound: int | float | str) -> int | float:
    """A bound on a time as the profile reads it: seconds since 1970, UTC unless it says otherwise."""
    if not isinstance(bound, str):
        return bound
    moment = datetime.fromisoformat(bound)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def identity(rule: Rule, index: int) -> str:
    """What names a rule in the counts of a shard."""
    return f"{index} {rule.name} {rule.column}"
