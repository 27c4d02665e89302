"""Profiles of parts of a table, put together: counts come out exactly as for the whole."""

from functools import reduce

from evergreen.errors import DataError
from evergreen.profile.counting.aggregates import ranked
from evergreen.profile.counting.moments import merged_sums, moments
from evergreen.profile.model import Bins, Column, Lengths, Numbers, Profile, Shapes, Slice, Values
from evergreen.profile.traits.model import larger


def merge(*profiles: Profile) -> Profile:
    """The profile of all the rows of tables that were counted into one layout (see `edges_from`).

    Associative and commutative. Counts, bins, listed values, extremes, sketches, means and variances are
    exactly those of the whole table; where a part holds values far beyond the reference's (256 times its
    range), means and variances agree within rounding. `unique` is False if it is so for a part, else unknown,
    and so is `key`. Sketches of different hash functions (versions of DuckDB) are left out.

    Raises:
        DataError: for no profile, or profiles of different layouts.
    """
    if not profiles:
        raise DataError("profiles", "none", "at least one")
    return reduce(_merge, profiles)


def _merge(a: Profile, b: Profile) -> Profile:
    if a.layout != b.layout:
        remedy = "Profile every part with `edges_from` the same reference."
        raise DataError("profiles", f"different layouts ({_difference(a, b)})", "one layout", remedy)
    same = a.hashing == b.hashing
    columns = tuple(_merge_columns(x, y, same) for x, y in zip(a.columns, b.columns, strict=True))
    hashing, slices = a.hashing if same else "", _merge_slices(a, b)
    return Profile(a.rows + b.rows, columns, hashing, slices, traits=larger(a.traits, b.traits))


def _merge_slices(a: Profile, b: Profile) -> tuple[Slice, ...]:
    parts = {s.name: s.profile for s in a.slices}
    for part in b.slices:
        own = parts.get(part.name)
        parts[part.name] = _merge(own, part.profile) if own else part.profile
    return tuple(Slice(name, parts[name]) for name in sorted(parts))


def _difference(a: Profile, b: Profile) -> str:
    if set(a.by_name) != set(b.by_name):
        return "columns " + ", ".join(sorted(repr(n) for n in set(a.by_name) ^ set(b.by_name))[:5])
    for name, column in a.by_name.items():
        other = b.by_name[name]
        if (column.type, column.role) != (other.type, other.role):
            return f"column {name!r} is {column.type} ({column.role}) and {other.type} ({other.role})"
    return "edges or listed values"


def _merge_columns(a: Column, b: Column, same_hashing: bool) -> Column:
    return Column(
        name=a.name,
        type=a.type,
        role=a.role,
        rows=a.rows + b.rows,
        missing=a.missing + b.missing,
        invalid=a.invalid + b.invalid,
        numbers=_merge_numbers(a.numbers, b.numbers) if a.numbers and b.numbers else None,
        lengths=_merge_lengths(a.lengths, b.lengths) if a.lengths and b.lengths else None,
        values=_merge_values(a.values, b.values) if a.values and b.values else None,
        sketch=a.sketch.merged(b.sketch) if same_hashing and a.sketch and b.sketch else None,
        unique=False if False in (a.unique, b.unique) else None,
        shapes=_merge_shapes(a.shapes, b.shapes) if a.shapes and b.shapes else None,
        week=tuple(x + y for x, y in zip(a.week, b.week, strict=True)) if a.week and b.week else None,
        elements=_merge_columns(a.elements, b.elements, same_hashing) if a.elements and b.elements else None,
    )


def _merge_numbers(a: Numbers, b: Numbers) -> Numbers:
    sums = merged_sums(a, b)
    mean, m2 = moments(a.count + b.count, sums) if sums else (None, None)
    return Numbers(
        count=a.count + b.count,
        zeros=a.zeros + b.zeros,
        negative=a.negative + b.negative,
        nan=a.nan + b.nan,
        positive_infinite=a.positive_infinite + b.positive_infinite,
        negative_infinite=a.negative_infinite + b.negative_infinite,
        minimum=min((v for v in (a.minimum, b.minimum) if v is not None), default=None),
        maximum=max((v for v in (a.maximum, b.maximum) if v is not None), default=None),
        mean=mean,
        m2=m2,
        bins=_merge_bins(a.bins, b.bins),
        histogram=_merge_bins(a.histogram, b.histogram),
        sums=sums,
    )


def _merge_bins(a: Bins, b: Bins) -> Bins:
    return Bins(a.edges, tuple(x + y for x, y in zip(a.counts, b.counts, strict=True)))


def _merge_lengths(a: Lengths, b: Lengths) -> Lengths:
    return Lengths(
        minimum=min((v for v in (a.minimum, b.minimum) if v is not None), default=None),
        maximum=max((v for v in (a.maximum, b.maximum) if v is not None), default=None),
        total=a.total + b.total,
        empty=a.empty + b.empty,
        spaced=a.spaced + b.spaced,
        wide=a.wide + b.wide,
    )


def _merge_shapes(a: Shapes, b: Shapes) -> Shapes:
    counts = dict(a.items)
    for shape, n in b.items:
        counts[shape] += n
    items = tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return Shapes(a.rows + b.rows, items, a.other + b.other)


def _merge_values(a: Values, b: Values) -> Values:
    counts = dict(a.items)
    for value, n in b.items:
        counts[value] += n
    return Values(ranked(counts), a.other + b.other, a.complete)
