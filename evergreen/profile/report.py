"""The profile of a table as a page: every column in a table, and charts of the first ones."""

from collections.abc import Sequence
from dataclasses import replace

from evergreen.profile.counting.sketch import RELATIVE_ERROR, TOP
from evergreen.profile.model import Column, Profile
from evergreen.profile.pictures import chart, moment, week_charts
from evergreen.profile.slice_pictures import slice_blocks
from evergreen.reports.page import Section, details, figure, note, page, table, text, tiles
from evergreen.reports.text import number, percent, shortened

# A chart is 5 kB of the page; the table holds every column.
OPEN, FOLDED = 12, 60
_TOP = 3
_SHAPES = 4
_WIDTH = 24
# Columns of times and of lists that are drawn.
_MOST = 12


def profile_page(profile: Profile, title: str = "Profile", baseline: Profile | None = None) -> str:
    """The page.

    Args:
        profile: Of the table.
        title: What the page is called.
        baseline: Drawn beside it; `profile` must be in its layout.
    """
    features = [c for c in profile.columns if c.role in ("feature", "time")]
    sections = [
        Section("Overview", [tiles(_overview(profile)), *_remarks(profile)]),
        Section("Label", _label(profile, baseline)),
        Section("Distributions", distributions(features, baseline)),
        Section("Times", _times(features, baseline)),
        Section("Lists", _lists(profile.columns, baseline)),
        Section("Texts", _texts(profile.columns)),
        Section("Columns", [columns_table(profile.columns)]),
        Section("Slices", slice_blocks(profile, baseline)),
    ]
    beside = f", beside a baseline of {number(baseline.rows)} rows" if baseline else ""
    subtitle = f"{number(profile.rows)} rows, {len(profile.columns)} columns{beside}"
    return page(title, sections, subtitle=subtitle)


def _overview(profile: Profile) -> dict[str, object]:
    cells = profile.rows * len(profile.columns)
    missing = sum(c.missing for c in profile.columns)
    kinds: dict[str, int] = {}
    for column in profile.columns:
        kinds[column.family] = kinds.get(column.family, 0) + 1
    return {
        "Rows": profile.rows,
        "Columns": (len(profile.columns), ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))),
        "Missing cells": percent(missing / cells if cells else None),
        "Invalid cells": (sum(c.invalid for c in profile.columns), "NaN or infinite"),
        "Key": ", ".join(profile.key) or "none found",
    }


def _remarks(profile: Profile) -> list[str]:
    constant = [c.name for c in profile.columns if c.constant and c.rows > 1]
    empty = [c.name for c in profile.columns if c.rows and c.missing == c.rows]
    remarks: list[str] = []
    if not profile.rows:
        remarks.append(note("The table has no rows.", "warn"))
    if constant:
        remarks.append(note(f"One value in all rows: {_names(constant)}.", "warn"))
    if empty:
        remarks.append(note(f"Nothing in it: {_names(empty)}.", "warn"))
    return remarks


def _times(columns: Sequence[Column], baseline: Profile | None) -> list[str]:
    drawn: list[str] = []
    for column in [c for c in columns if c.week][:_MOST]:
        old = baseline.by_name.get(column.name) if baseline else None
        drawn += [figure(svg, "share of rows with a time, UTC") for svg in week_charts(column, old)]
    return drawn


def _lists(columns: Sequence[Column], baseline: Profile | None) -> list[str]:
    blocks: list[str] = []
    for column in [c for c in columns if c.elements][:_MOST]:
        old = baseline.by_name.get(column.name) if baseline else None
        assert column.elements
        named = replace(column.elements, name=f"{column.name}, elements")
        if svg := chart(named, old.elements if old else None):
            blocks.append(figure(svg, f"share of all {number(named.rows)} elements; {named.type}"))
    return blocks


def _texts(columns: Sequence[Column]) -> list[str]:
    """How texts are written: blanks around them, other letters than ASCII, their most frequent shapes."""
    rows = []
    for c in columns:
        if c.family != "text" or not c.lengths or not c.valid:
            continue
        written = c.written
        shown = [(s, n) for s, n in written.items[:_SHAPES] if n] if written else []
        shapes = ", ".join(
            f"{shortened(s, _WIDTH) or '(empty)'} {percent(n / written.rows, 0)}" for s, n in shown if written
        )
        sample = f"of {number(written.rows)} rows" if written and written.rows < c.valid else ""
        counts = (c.lengths.empty or "", c.lengths.spaced or "", c.lengths.wide or "")
        rows.append((c.name, *counts, shapes, sample))
    headers = ("Column", "Empty", "Blank at an end", "Not ASCII", "Shapes", "Looked at")
    below = text("Shapes: upper case letters as A, others as a, digits as 9, five or more alike as 9+.")
    return [table(headers, rows, numeric={1, 2, 3}, caption="How texts are written"), below] if rows else []


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _label(profile: Profile, baseline: Profile | None) -> list[str]:
    label = profile.label
    return distributions([label], baseline) if label else []


def distributions(columns: Sequence[Column], baseline: Profile | None, shown: int = OPEN) -> list[str]:
    """Charts of columns in the given order: some open, some folded away; the rest is not drawn."""
    figures = []
    for column in columns:
        drawn = chart(column, baseline.by_name.get(column.name) if baseline else None)
        if drawn:
            figures.append(figure(drawn, _caption(column)))
        if len(figures) == shown + FOLDED:
            break
    blocks: list[str] = list(figures[:shown])
    if figures[shown:]:
        blocks.append(details(f"{len(figures) - shown} more", *figures[shown:]))
    if len(figures) == shown + FOLDED < len(columns):
        blocks.append(
            text(f"The first {len(figures)} of {len(columns)} columns are drawn; the table has them all.")
        )
    return blocks


def _caption(column: Column) -> str:
    parts = [f"share of rows; {column.type}"]
    if column.missing:
        parts.append(f"{percent(column.missing_share)} missing")
    if column.invalid:
        parts.append(f"{number(column.invalid)} invalid")
    return ", ".join(parts)


def columns_table(columns: Sequence[Column]) -> str:
    """Every column on a line; more than 512 distinct values are estimated, quantiles lie in a bin."""
    headers = (
        "Column", "Role", "Type", "Missing", "Invalid", "Distinct", "Min", "5 %", "Median", "95 %", "Max",
        "Mean", "Std", "Frequent",
    )  # fmt: skip
    rows = [
        (c.name, c.role, c.type, percent(c.missing_share) if c.missing else "", c.invalid or "", _distinct(c),
         *_moments(c), _frequent(c))
        for c in columns
    ]  # fmt: skip
    return table(headers, rows, numeric=set(range(3, 13)), caption="Statistics by column")


def _distinct(column: Column) -> object:
    if not column.sketch:
        return ""
    if column.unique:
        return column.valid
    count = column.sketch.distinct
    if column.sketch.limit == TOP:
        return count
    digits = 10 ** max(0, len(str(count)) - 2)
    return f"≈ {number(round(count / digits) * digits)} ± {2 * RELATIVE_ERROR:.0%}"


def _moments(column: Column) -> tuple[object, ...]:
    """Min, 5 %, median, 95 %, max, mean and standard deviation; of texts and lists, of their lengths."""
    numbers, lengths = column.numbers, column.lengths
    if numbers:
        found = [column.quantile(p) for p in (0.05, 0.5, 0.95)]
        figures = [numbers.minimum, *(q.value if q else None for q in found), numbers.maximum, numbers.mean]
        if column.family == "time":
            return (*(moment(x) for x in figures), "")
        return (*figures, numbers.std)
    if lengths and column.valid:
        unit = "chars" if column.family == "text" else "items"
        mean = f"{number(lengths.total / column.valid)} {unit}"
        shortest, longest = f"{number(lengths.minimum)} {unit}", f"{number(lengths.maximum)} {unit}"
        return shortest, "", "", "", longest, mean, ""
    return ("",) * 7


def _frequent(column: Column) -> str:
    if not column.values or not column.valid or column.role == "key":
        return ""
    shown = [(v, n) for v, n in column.values.items[:_TOP] if n]
    return ", ".join(
        f"{shortened(str(v), _WIDTH) or '(empty)'} {percent(n / column.rows, 0)}" for v, n in shown
    )
