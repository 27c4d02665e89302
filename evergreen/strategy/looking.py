"""Where a long tail can be: every candidate slice of a table, with its rows and its label."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from evergreen.project.model import LongTail
from evergreen.reports.text import number
from evergreen.strategy.counting import (
    Counted,
    Sum,
    Table,
    rare_values,
    samples,
    spectrum_of,
    sums_where,
)
from evergreen.strategy.members import range_sql
from evergreen.strategy.model import Rule, SliceKind, Value
from evergreen.strategy.roles import Label, Roles
from evergreen.tables import identifier, kind

PREFIX = "long_tail:"
_VALUES, _PAIR_VALUES, _PAIR_COLUMNS, _PAIRS = 30, 50, 8, 10
_FENCE = 3.0


@dataclass(frozen=True)
class Candidate:
    """A slice that may be kept: its name, what makes it rare, its rule in two forms, its rows."""

    name: str
    kind: SliceKind
    rule: Rule
    words: str
    sum: Sum


def entity_slices(columns: Sequence[str], counted: Counted, settings: LongTail) -> list[Candidate]:
    """The entities with few rows: fewer than anything can be said about one, and the tail as a whole.

    None when all entities have about the same number of rows.
    """
    spectrum = counted.spectrum
    named = " & ".join(columns)
    tail = spectrum.tail(settings.tail_share, max(1.0, settings.rare_share * spectrum.rows))
    few = settings.min_rows - 1
    bounds = {"the tail": tail}
    if spectrum.up_to(few)[1] < settings.tail_share * spectrum.rows and spectrum.sizes[-1] > few:
        bounds["few rows"] = few
    found = []
    for what, most in bounds.items():
        part = counted.up_to(most)
        if part.rows and not (what == "few rows" and most >= tail and part.rows == counted.up_to(tail).rows):
            words = f"a {named} with {_rows(int(spectrum.sizes[0]), most)}"
            rule = Rule("frequency", tuple(columns), fewest=1, most=most)
            found.append(Candidate(f"{PREFIX}{named} ({what})", "entities", rule, words, part))
    return found


def _rows(fewest: int, most: int) -> str:
    return f"{fewest:,} row{'' if fewest == 1 else 's'}" if fewest >= most else f"at most {most:,} rows"


def column_slices(
    table: Table, types: Mapping[str, str], roles: Roles, settings: LongTail
) -> list[Candidate]:
    """Rare values, missing values and extremes of every feature, and rare pairs of values."""
    found: list[Candidate] = []
    values: dict[str, int] = {}
    for column in roles.features:
        if kind(types[column]) not in ("text", "boolean", "integer"):
            continue
        counted = spectrum_of(table, [column])
        if counted is None or counted.spectrum.count < 2:
            continue
        single = kind(types[column]) != "integer" or counted.spectrum.count <= _PAIR_VALUES
        if single:
            values[column] = counted.spectrum.count
        found += _of_values(table, column, counted, settings, single)
    numbers = [c for c in roles.features if kind(types[c]) in ("integer", "number") and c not in values]
    found += _extremes(table, numbers, settings)
    found += _missing(table, roles.features, settings)
    paired = [c for c, n in values.items() if n <= _PAIR_VALUES][:_PAIR_COLUMNS]
    for pair in combinations(paired, 2):
        found += _of_pair(table, pair, settings)
    return found


def _of_values(
    table: Table, column: str, counted: Counted, settings: LongTail, single: bool
) -> Iterator[Candidate]:
    """The rare values of a column together, and (`single`) each of those that have rows enough."""
    rare = settings.rare_share * table.rows
    spectrum = counted.spectrum
    most = spectrum.tail(settings.tail_share, rare)
    count, _ = spectrum.up_to(most)
    if count == 1 and most < spectrum.sizes[-1]:
        known = [v for v in rare_values(table, [column], 1, most, 2) if v[0][0] is not None]
        for (value,), part in known:
            yield _of_value(column, value, part, "values")
    elif count and most < spectrum.sizes[-1]:
        words = f"{column} is one of {number(count)} values with at most {most:,} rows each"
        rule = Rule("frequency", (column,), fewest=1, most=most)
        yield Candidate(f"{PREFIX}{column} (rare values)", "values", rule, words, counted.up_to(most))
    if single and spectrum.sizes[0] <= rare and spectrum.count <= table.rows / settings.min_rows:
        for (value,), part in rare_values(table, [column], settings.min_rows, rare, _VALUES):
            if value is not None and not (count == 1 and part.rows == most):
                yield _of_value(column, value, part, "value")


def _of_value(column: str, value: Value, part: Sum, what: SliceKind) -> Candidate:
    rule = Rule("values", (column,), ((value,),))
    return Candidate(f"{PREFIX}{column}={value}", what, rule, f"{column} is {value}", part)


def _of_pair(table: Table, pair: tuple[str, str], settings: LongTail) -> Iterator[Candidate]:
    """Pairs of values that are rare together though neither is on its own."""
    rare = settings.rare_share * table.rows
    common = [
        {values[0] for values, _ in rare_values(table, [c], int(rare) + 1, table.rows, _PAIR_VALUES)}
        for c in pair
    ]
    kept = 0
    for values, part in rare_values(table, pair, settings.min_rows, rare, 10 * _PAIRS):
        if kept < _PAIRS and all(v in known for v, known in zip(values, common, strict=True)):
            kept += 1
            words = " and ".join(f"{c} is {v}" for c, v in zip(pair, values, strict=True))
            name = " & ".join(f"{c}={v}" for c, v in zip(pair, values, strict=True))
            line: tuple[Value, ...] = tuple(values)
            yield Candidate(f"{PREFIX}{name}", "pair", Rule("values", pair, (line,)), words, part)


def _extremes(table: Table, columns: Sequence[str], settings: LongTail) -> Iterator[Candidate]:
    """The ends of a number that lie beyond the quartiles by three times their distance (Tukey 1977)."""
    rules = []
    for column, values in samples(table, columns):
        if len(values) < settings.min_rows:
            continue
        q1, q3 = np.quantile(values, [0.25, 0.75], method="inverted_cdf")
        low, high = np.quantile(values, [settings.rare_share, 1 - settings.rare_share], method="inverted_cdf")
        reach = _FENCE * (q3 - q1)
        if values[-1] > max(q3 + reach, high) or (high > q3 + reach and high > q3):
            edge = float(max(q3 + reach, high))
            rules.append(Rule("range", (column,), low=_above(values, edge)))
        if values[0] < min(q1 - reach, low) or (low < q1 - reach and low < q1):
            rules.append(Rule("range", (column,), high=_below(values, float(min(q1 - reach, low)))))
    sums = sums_where(table, [range_sql(r.columns[0], r.low, r.high) for r in rules])
    for rule, part in zip(rules, sums, strict=True):
        (column,) = rule.columns
        side, bound = ("high", rule.low) if rule.low is not None else ("low", rule.high)
        word = "at least" if side == "high" else "at most"
        words = f"{column} is {word} {number(bound)}"
        yield Candidate(f"{PREFIX}{column} ({side})", "extreme", rule, words, part)


def _above(values: np.ndarray, edge: float) -> float:
    """The least value of a sample beyond an edge, so that rows on the edge itself stay out."""
    place = int(np.searchsorted(values, edge, side="right"))
    return float(values[min(place, len(values) - 1)])


def _below(values: np.ndarray, edge: float) -> float:
    place = int(np.searchsorted(values, edge, side="left"))
    return float(values[max(place - 1, 0)])


def _missing(table: Table, columns: Sequence[str], settings: LongTail) -> Iterator[Candidate]:
    sums = sums_where(table, [f"({identifier(c)} IS NULL)" for c in columns])
    for column, part in zip(columns, sums, strict=True):
        if 0 < part.rows <= settings.rare_share * table.rows:
            rule = Rule("values", (column,), ((None,),))
            yield Candidate(f"{PREFIX}{column} (missing)", "missing", rule, f"{column} is missing", part)


def class_slices(table: Table, label: Label | None, settings: LongTail) -> list[Candidate]:
    """The rare classes of a label of several."""
    if label is None or label.task != "multiclass":
        return []
    rare = settings.rare_share * table.rows
    return [
        Candidate(
            f"{PREFIX}{label.column}={value}", "class", Rule("values", (label.column,), ((value,),)),
            f"the label is {value}", Sum(rows, rows, 0.0, 0.0),
        )
        for value, rows in label.classes
        if rows <= rare
    ][: settings.slices]  # fmt: skip


def named_apart(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates under different names: a later one of the same name gets a number."""
    seen: dict[str, int] = {}
    found = []
    for one in candidates:
        seen[one.name] = seen.get(one.name, 0) + 1
        again = seen[one.name] > 1
        found.append(replace(one, name=f"{one.name} #{seen[one.name]}") if again else one)
    return found
