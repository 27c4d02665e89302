"""The profile of a table as a page: every column in a table, and charts of the first ones."""

from collections.abc import Sequence

from evergreen.profile.counting.sketch import RELATIVE_ERROR, TOP
from evergreen.profile.model import Column, Profile
from evergreen.profile.pictures import chart, moment
from evergreen.reports.page import Section, details, figure, note, page, table, text, tiles
from evergreen.reports.text import number, percent

# A chart is 5 kB of the page; the table holds every column.
OPEN, FOLDED = 12, 60
_TOP = 3
_SLICES = 200


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
        Section("Columns", [columns_table(profile.columns)]),
        Section("Slices", _slices(profile)),
    ]
    return page(title, sections, subtitle=f"{number(profile.rows)} rows, {len(profile.columns)} columns")


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
    """Every column on a line; distinct counts of more than 512 values are estimates."""
    headers = (
        "Column",
        "Role",
        "Type",
        "Missing",
        "Invalid",
        "Distinct",
        "Min",
        "Mean",
        "Std",
        "Max",
        "Frequent",
    )
    rows = [
        (c.name, c.role, c.type, percent(c.missing_share) if c.missing else "", c.invalid or "", _distinct(c),
         *_moments(c), _frequent(c))
        for c in columns
    ]  # fmt: skip
    return table(headers, rows, numeric={3, 4, 5, 6, 7, 8, 9}, caption="Statistics by column")


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


def _moments(column: Column) -> tuple[object, object, object, object]:
    numbers, lengths = column.numbers, column.lengths
    if numbers and column.family == "time":
        return moment(numbers.minimum), moment(numbers.mean), "", moment(numbers.maximum)
    if numbers:
        return numbers.minimum, numbers.mean, numbers.std, numbers.maximum
    if lengths and column.valid:
        mean = f"{number(lengths.total / column.valid)} chars"
        return f"{number(lengths.minimum)} chars", mean, "", f"{number(lengths.maximum)} chars"
    return "", "", "", ""


def _frequent(column: Column) -> str:
    if not column.values or not column.valid or column.role == "key":
        return ""
    shown = [(v, n) for v, n in column.values.items[:_TOP] if n]
    return ", ".join(f"{_short(str(v)) or '(empty)'} {percent(n / column.rows, 0)}" for v, n in shown)


def _short(words: str) -> str:
    return words if len(words) <= 24 else words[:23] + "…"


def _slices(profile: Profile) -> list[str]:
    if not profile.slices:
        return []
    rows = []
    for part in profile.slices[:_SLICES]:
        inner = part.profile
        cells = max(1, inner.rows * len(inner.columns))
        share = inner.rows / profile.rows if profile.rows else 0.0
        missing = percent(sum(c.missing for c in inner.columns) / cells)
        rows.append((part.name, inner.rows, percent(share), missing, _label_summary(inner.label)))
    headers = ("Slice", "Rows", "Share", "Missing cells", "Label")
    return [table(headers, rows, numeric={1, 2, 3}, caption="Rows and label by slice")]


def _label_summary(label: Column | None) -> str:
    if not label or not label.valid:
        return ""
    if label.values and label.values.items:
        shown = [(v, n) for v, n in label.values.items[:_TOP] if n]
        return ", ".join(f"{_short(str(v))} {percent(n / label.rows)}" for v, n in shown)
    return f"mean {number(label.numbers.mean)}" if label.numbers else ""
