"""Which slices are kept: the ones that matter, not two of the same rows, and what their numbers can tell."""

import math
from collections.abc import Sequence

import numpy as np

from evergreen.intervals import Z_95, wilson
from evergreen.project.model import LongTail
from evergreen.strategy.counting import Sum, Table
from evergreen.strategy.looking import Candidate
from evergreen.strategy.members import Members
from evergreen.strategy.model import TailSlice
from evergreen.strategy.noise import detectable, discoveries, metric_error, two_rates
from evergreen.strategy.roles import Label
from evergreen.tables import identifier

_SHORT, _SAME, _OF_ONE_KEY = 60, 0.8, 3
_RANK = {"entities": 0, "class": 1, "values": 3, "extreme": 3, "missing": 3, "value": 4, "pair": 5}


def choose(
    table: Table, types: dict[str, str], candidates: Sequence[Candidate], label: Label | None,
    settings: LongTail, entity: Sequence[str], test: float,
) -> tuple[TailSlice, ...]:  # fmt: skip
    """Keep at most `settings.slices` slices, the most important first.

    Entities come first, then rare classes, then slices whose label differs from the other rows' (the surest
    first), then the rest: rare values, extremes, missing values by their rows. Single values and pairs are
    kept only when their label differs, and at most three slices of one column. A slice that shares more than
    0.8 of its rows (Jaccard) with one that is kept already is left out, and so is one with fewer than
    `settings.min_rows` rows, entities excepted: that a user has two purchases is worth saying, though nothing
    can be judged by them.

    Args:
        table: The table.
        types: Its columns.
        candidates: What was found.
        label: The label; None without one.
        settings: The project's `long_tail`.
        entity: What names an entity.
        test: The share of the rows that become the test set.
    """
    whole = _whole(table)
    p_values = [_p_value(c.sum, whole, label) for c in candidates]
    differs = discoveries(p_values)
    ranked = sorted(
        (i for i, c in enumerate(candidates) if _worth(c, differs[i], whole, settings)),
        key=lambda i: (_rank(candidates[i], differs[i]), p_values[i] if differs[i] else 1.0,
                       -candidates[i].sum.rows, candidates[i].name),
    )  # fmt: skip
    ranked = _spread(ranked, candidates)[:_SHORT]
    short = [candidates[i] for i in ranked]
    kept = _apart(table, types, short)[: settings.slices]
    entities = _entities(table, types, [short[k] for k in kept], entity)
    return tuple(
        _slice(short[k], differs[ranked[k]], whole, label, settings, count, test, len(kept))
        for k, count in zip(kept, entities, strict=True)
    )


def _spread(ranked: Sequence[int], candidates: Sequence[Candidate]) -> list[int]:
    """The first three of each column or pair, in their order; entities and classes are not counted."""
    seen: dict[tuple[str, ...], int] = {}
    found = []
    for i in ranked:
        columns = candidates[i].rule.columns
        seen[columns] = seen.get(columns, 0) + 1
        if seen[columns] <= _OF_ONE_KEY or candidates[i].kind in ("entities", "class"):
            found.append(i)
    return found


def _whole(table: Table) -> Sum:
    ((row),) = table.con.execute(
        f"SELECT count(*), count(y), sum(y), sum(y * y) FROM (SELECT {table.label} AS y FROM {table.source})"
    ).fetchall()
    return Sum.of(row)


def _worth(one: Candidate, differs: bool, whole: Sum, settings: LongTail) -> bool:
    if not one.sum.rows or one.sum.rows * 2 > whole.rows:
        return False
    if one.kind == "entities":
        return True
    return one.sum.rows >= settings.min_rows and (differs or one.kind not in ("value", "pair"))


def _rank(one: Candidate, differs: bool) -> int:
    return 2 if differs and _RANK[one.kind] > 2 else _RANK[one.kind]


def _p_value(part: Sum, whole: Sum, label: Label | None) -> float:
    """Of the slice's label being that of the other rows; 1 where it cannot be told."""
    others = Sum(
        whole.rows - part.rows, whole.given - part.given, whole.total - part.total,
        whole.squares - part.squares,
    )  # fmt: skip
    if label is None or label.task == "multiclass" or part.given < 2 or others.given < 2:
        return 1.0
    if label.task == "binary":
        return two_rates(part.total, part.given, others.total, others.given)
    variance = _variance(part) / part.given + _variance(others) / others.given
    if variance <= 0:
        return 1.0
    z = abs(part.total / part.given - others.total / others.given) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2))


def _variance(part: Sum) -> float:
    return max(0.0, (part.squares - part.total**2 / part.given) / (part.given - 1))


def _apart(table: Table, types: dict[str, str], short: Sequence[Candidate]) -> list[int]:
    """The places of the candidates that are not nearly the same rows as an earlier one."""
    if not short:
        return []
    members = Members(table.con, table.source, types, [c.rule for c in short])
    bits = " + ".join(f"({members.sql(c.rule)})::BIGINT * {1 << k}" for k, c in enumerate(short))
    rows = table.con.execute(
        f"SELECT m, count(*) FROM (SELECT {bits} AS m FROM {members.source(table.source)}) "
        "WHERE m > 0 GROUP BY m"
    ).fetchall()
    masks = np.array([r[0] for r in rows], dtype=np.int64)
    counts = np.array([r[1] for r in rows], dtype=np.int64)
    inside = ((masks[:, None] >> np.arange(len(short))) & 1).astype(bool)
    kept: list[int] = []
    for k in range(len(short)):
        mine = counts[inside[:, k]].sum()
        shared = [counts[inside[:, k] & inside[:, j]].sum() for j in kept]
        union = [mine + counts[inside[:, j]].sum() - s for j, s in zip(kept, shared, strict=True)]
        if mine and all(s <= _SAME * u for s, u in zip(shared, union, strict=True)):
            kept.append(k)
    return kept


def _entities(
    table: Table, types: dict[str, str], kept: Sequence[Candidate], entity: Sequence[str]
) -> list[int | None]:
    """Different entities in each slice."""
    if not entity or not kept:
        return [None] * len(kept)
    members = Members(table.con, table.source, types, [c.rule for c in kept])
    who = ", ".join(f"{identifier(c)} := {identifier(c)}" for c in entity)
    found: list[int | None] = []
    for one in kept:
        rows = f"{members.source(table.source)} WHERE {members.sql(one.rule)}"
        query = f"SELECT DISTINCT struct_pack({who}) FROM {rows}"
        ((count,),) = table.con.execute(f"SELECT count(*) FROM ({query})").fetchall()
        found.append(int(count))
    return found


def _slice(
    one: Candidate, differs: bool, whole: Sum, label: Label | None, settings: LongTail,
    entities: int | None, test: float, kept: int,
) -> TailSlice:  # fmt: skip
    value, low, high = _label(one.sum, label)
    expected = one.sum.rows * test
    task = label.task if label else None
    rate = whole.total / whole.given if task == "binary" and whole.given else None
    error = metric_error(task, expected, value if task == "binary" and value is not None else rate)
    return TailSlice(
        name=one.name, kind=one.kind, rule=one.rule, words=one.words, rows=one.sum.rows,
        share=one.sum.rows / whole.rows, entities=entities, label=value, label_low=low, label_high=high,
        different=differs, small=one.sum.rows < settings.small, test_rows=round(expected),
        judged=expected >= settings.min_rows, detectable=detectable(error, kept, 0.01),
    )  # fmt: skip


def _label(part: Sum, label: Label | None) -> tuple[float | None, float | None, float | None]:
    """The label's rate with Wilson's interval, or the mean of a number with a normal one."""
    if label is None or label.task == "multiclass" or not part.given:
        return None, None, None
    mean = part.total / part.given
    if label.task == "binary":
        return (mean, *wilson(part.total, part.given, Z_95))
    half = 1.96 * math.sqrt(_variance(part) / part.given) if part.given > 1 else math.inf
    return (mean, mean - half, mean + half) if math.isfinite(half) else (mean, None, None)
