"""A profile in a few figures by column: for `--json`, and for a terminal."""

from collections.abc import Sequence
from typing import Any

from evergreen.findings import Finding, no, rows_text
from evergreen.profile.model import Column, Profile
from evergreen.profile.pictures import moment
from evergreen.reports.text import number, percent, shortened

_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_TOP = 10
_WIDTH = 32


def summary(profile: Profile) -> dict[str, Any]:
    """The profile as plain values: rows, columns, slices, and findings about single columns."""
    return {
        "rows": profile.rows,
        "columns": [column_summary(c) for c in profile.columns],
        "key": list(profile.key),
        "slices": [
            {
                "slice": s.name,
                "rows": s.profile.rows,
                "columns": [column_summary(c) for c in s.profile.columns],
            }
            for s in profile.slices
        ],
        "findings": [f.record() for f in remarks(profile)],
    }


def column_summary(column: Column) -> dict[str, Any]:
    """One column; quantiles come with the bounds between which the true one lies."""
    out: dict[str, Any] = {
        "column": column.name, "type": column.type, "role": column.role, "rows": column.rows,
        "missing": column.missing, "invalid": column.invalid,
    }  # fmt: skip
    if column.sketch:
        out["distinct"] = column.sketch.distinct
        out["distinct_exact"] = column.sketch.exact is not None
    if column.unique is not None:
        out["unique"] = column.unique
    if numbers := column.numbers:
        out |= {
            "minimum": numbers.minimum,
            "maximum": numbers.maximum,
            "mean": numbers.mean,
            "std": numbers.std,
        }
        out |= {"zeros": numbers.zeros, "negative": numbers.negative, "nan": numbers.nan}
        found = {p: column.quantile(p) for p in _QUANTILES}
        out["quantiles"] = {
            f"{p:g}": {"value": q.value, "low": q.low, "high": q.high} for p, q in found.items() if q
        }
    if lengths := column.lengths:
        mean = lengths.total / column.valid if column.valid else None
        out["lengths"] = {"minimum": lengths.minimum, "maximum": lengths.maximum, "mean": mean,
                          "empty": lengths.empty, "spaced": lengths.spaced, "wide": lengths.wide}  # fmt: skip
    if column.values:
        items = [{"value": v, "count": n} for v, n in column.values.items[:_TOP] if n]
        out["values"] = {"items": items, "complete": column.values.complete, "other": column.values.other}
    if written := column.written:
        shapes = [{"shape": s, "count": n} for s, n in written.items[:_TOP] if n]
        out["shapes"] = {"rows": written.rows, "items": shapes}
    if column.week:
        out["by_weekday"] = [sum(column.week[day * 24 : day * 24 + 24]) for day in range(7)]
        out["by_hour"] = [sum(column.week[hour::24]) for hour in range(24)]
    if column.elements:
        out["elements"] = column_summary(column.elements)
    return out


def remarks(profile: Profile) -> list[Finding]:
    """What stands out in single columns, as warnings: nothing in it, one value, NaN or infinities, blanks."""
    found = []
    for c in profile.columns:
        if c.rows and c.missing == c.rows:
            found.append(
                no("empty", c.name, "warn", f"column {c.name!r} holds no value", count=c.rows, share=1.0)
            )
        elif c.constant and c.rows > 1:
            reason = f"column {c.name!r} holds one value in all rows"
            found.append(no("constant", c.name, "warn", reason, observed=1, threshold=2, count=c.rows))
        spaced = c.lengths.spaced if c.lengths else 0
        for rule, count, words in (
            ("invalid", c.invalid, "are NaN or infinite"),
            ("spaced", spaced, "begin or end with a blank"),
        ):
            if count:
                reason = f"{rows_text(count, c.rows)} of column {c.name!r} {words}"
                found.append(no(rule, c.name, "warn", reason, count=count, share=count / c.rows))
    return found


def text_table(profile: Profile) -> str:
    """The profile as aligned columns of text."""
    head = ("column", "type", "missing", "distinct", "min", "median", "mean", "max", "frequent")
    lines = [head, *(_line(c) for c in profile.columns)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    rows = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    out = [f"{number(profile.rows)} rows, {len(profile.columns)} columns", "", *rows]
    if profile.slices:
        out += ["", *(f"{s.name}: {rows_text(s.profile.rows, profile.rows)}" for s in profile.slices)]
    noted = [f.reason for f in remarks(profile)]
    return "\n".join([*out, *(["", *noted] if noted else [])])


def _line(column: Column) -> Sequence[str]:
    missing = percent(column.missing_share) if column.missing else "0"
    sketch = column.sketch
    distinct = "" if not sketch else number(sketch.distinct) if sketch.exact is not None else _about(column)
    return (_short(column.name), column.type, missing, distinct, *_middle(column), _frequent(column))


def _about(column: Column) -> str:
    assert column.sketch
    return number(column.valid) if column.unique else f"~{column.sketch.distinct:,.2g}".replace("e+0", "e")


def _middle(column: Column) -> tuple[str, str, str, str]:
    if numbers := column.numbers:
        middle = column.quantile(0.5)
        figures = (numbers.minimum, middle.value if middle else None, numbers.mean, numbers.maximum)
        shown = tuple(moment(x) if column.family == "time" else number(x) for x in figures)
        return (shown[0], shown[1], shown[2], shown[3])
    if column.lengths and column.valid:
        unit = " chars" if column.family == "text" else " items"
        lengths = column.lengths
        return (
            number(lengths.minimum) + unit, "", number(lengths.total / column.valid) + unit,
            number(lengths.maximum) + unit,
        )  # fmt: skip
    return ("", "", "", "")


def _frequent(column: Column) -> str:
    if not column.values or not column.valid:
        return ""
    shown = [f"{_short(str(v))} {percent(n / column.rows, 0)}" for v, n in column.values.items[:3] if n]
    return ", ".join(shown)


def _short(words: str) -> str:
    return shortened(" ".join(words.split()), _WIDTH)
