"""The slices of a profile as pictures: how many rows each has, how much is missing, what the label is."""

import math
import re
from collections.abc import Sequence

from evergreen.profile.model import Column, Profile, Scalar, Slice
from evergreen.profile.pictures import BASELINE, TABLE
from evergreen.reports import charts
from evergreen.reports.page import figure, table
from evergreen.reports.text import number, percent, shortened

_SHOWN = 200
_DRAWN = 30
_TOP = 3
_WIDTH = 24


def slice_blocks(profile: Profile, baseline: Profile | None = None) -> list[str]:
    """Charts for each column that slices were made by, and a table of all slices."""
    if not profile.slices:
        return []
    old = {s.name: s.profile for s in baseline.slices} if baseline else {}
    groups: dict[str, list[Slice]] = {}
    for part in profile.slices:
        groups.setdefault(part.name.partition("=")[0], []).append(part)
    blocks: list[str] = []
    for name, parts in groups.items():
        blocks += _charts(name, sorted(parts, key=_lower)[:_DRAWN], profile, baseline, old)
    return [*blocks, _table(profile)]


def _charts(
    name: str, parts: Sequence[Slice], profile: Profile, baseline: Profile | None, old: dict[str, Profile]
) -> list[str]:
    labels = [p.name.partition("=")[2] or "(empty)" for p in parts]
    found = [p.profile for p in parts]
    before = [old.get(p.name) for p in parts] if any(p.name in old for p in parts) else []
    rows: dict[str, list[float]] = {TABLE: [p.rows / max(1, profile.rows) for p in found]}
    if before and baseline:
        rows[BASELINE] = [p.rows / max(1, baseline.rows) if p else 0.0 for p in before]
    drawn: list[str] = [figure(charts.histogram(labels, rows, f"Rows by {name}"), "share of all rows")]
    levels: dict[str, list[float]] = {}
    for series, some in ((TABLE, found), (BASELINE, before)):
        told = [_level(p.label) if p else None for p in some]
        if any(v is not None for v in told):
            levels[series] = [v if v is not None else float("nan") for v in told]
    if TABLE in levels and profile.label:
        words = _level_words(profile.label)
        drawn.append(figure(charts.histogram(labels, levels, f"Label by {name}"), words))
    missing = [_missing(p) for p in found]
    if any(missing):
        heights = {TABLE: missing}
        if before:
            heights[BASELINE] = [_missing(p) if p else 0.0 for p in before]
        drawn.append(figure(charts.histogram(labels, heights, f"Missing by {name}"), "share of cells"))
    return drawn


def _lower(part: Slice) -> float:
    """Where a range begins, so that ranges stand in order; slices by value keep theirs."""
    bound = re.match(r"\[(−?[\d,.]+(?:e[+−]?\d+)?|−∞), ", part.name.partition("=")[2])
    if not bound:
        return -math.inf
    return -math.inf if "∞" in bound[1] else float(bound[1].replace("−", "-").replace(",", ""))


def _level(label: Column | None) -> float | None:
    """The share of the second of two classes, or the mean of a number."""
    if not label or not label.valid:
        return None
    value = _second(label)
    if value is not None and label.values:
        return dict(label.values.items).get(value, 0) / label.valid
    return label.numbers.mean if label.numbers else None


def _second(label: Column) -> Scalar | None:
    """The second of two classes in order: true, 1, or the later text; the same in every slice."""
    values = sorted((v for v, _ in label.values.items), key=str) if label.values else []
    return values[1] if len(values) == 2 else None


def _level_words(label: Column) -> str:
    value = _second(label)
    return f"share of {label.name} = {value}" if value is not None else f"mean of {label.name}"


def _missing(profile: Profile) -> float:
    return sum(c.missing for c in profile.columns) / max(1, profile.rows * len(profile.columns))


def _table(profile: Profile) -> str:
    rows = []
    for part in profile.slices[:_SHOWN]:
        inner = part.profile
        share = inner.rows / profile.rows if profile.rows else 0.0
        rows.append(
            (part.name, inner.rows, percent(share), percent(_missing(inner)), _label_summary(inner.label))
        )
    headers = ("Slice", "Rows", "Share", "Missing cells", "Label")
    return table(headers, rows, numeric={1, 2, 3}, caption="Rows and label by slice")


def _label_summary(label: Column | None) -> str:
    if not label or not label.valid:
        return ""
    if label.values and label.values.items:
        shown = [(v, n) for v, n in label.values.items[:_TOP] if n]
        return ", ".join(f"{shortened(str(v), _WIDTH)} {percent(n / label.rows)}" for v, n in shown)
    return f"mean {number(label.numbers.mean)}" if label.numbers else ""
