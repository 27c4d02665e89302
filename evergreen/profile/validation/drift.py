"""How far a column moved from its frozen baseline, bin by bin, with the noise that its row counts allow."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from evergreen.profile.model import Column, Numbers, Values
from evergreen.profile.validation import distances
from evergreen.profile.validation.chance import homogeneity

# A bin is kept apart when the smaller sample would put about so many rows in it.
_ROWS_A_BIN = 10
_TOP = 20
SMALL = 300


@dataclass(frozen=True)
class Drift:
    """One column against the baseline.

    Attributes:
        column: Its name.
        labels: The bins compared; the last may be `rare or new`, `missing` and `invalid`.
        reference: Counts of the baseline by bin.
        current: Counts of the table by bin.
        psi: Population stability index over all bins.
        floor: What `psi` stays below by chance alone, at the level asked for.
        jensen_shannon: Distance over all bins.
        distance: For numbers the normalised Wasserstein distance of the valid values, else the largest change
            of a bin's share; None where it cannot be told.
        small: Whether one of the two has fewer than 300 rows.
        chance: The probability of counts as different as these without drift (χ²).
    """

    column: str
    labels: tuple[str, ...]
    reference: tuple[int, ...]
    current: tuple[int, ...]
    psi: float
    floor: float
    jensen_shannon: float
    distance: float | None
    small: bool
    chance: float = 1.0


def compare(reference: Column, current: Column, level: float = 0.99) -> Drift | None:
    """Compare a column with its baseline; None where there is nothing to compare (no rows, no bins).

    Args:
        reference: The baseline's column.
        current: The same column counted into the baseline's layout.
        level: Probability with which `floor` holds without drift.

    Raises:
        ValueError: when the two are not in one layout.
    """
    if not reference.rows or not current.rows:
        return None
    binned = _binned(reference, current)
    if binned is None:
        return None
    labels, before, now = _without_empty(*_with_rest(binned, reference, current))
    n, m = reference.rows, current.rows
    return Drift(
        column=reference.name,
        labels=labels,
        reference=before,
        current=now,
        psi=distances.psi(before, now),
        floor=distances.psi_floor(n, m, len(before), level),
        jensen_shannon=distances.jensen_shannon(before, now),
        distance=_distance(reference, current, before, now),
        small=min(n, m) < SMALL,
        chance=homogeneity(before, now),
    )


_Binned = tuple[list[str], list[int], list[int]]


def _binned(reference: Column, current: Column) -> _Binned | None:
    if reference.values and current.values:
        return _by_value(reference.values, current.values, min(reference.rows, current.rows) / reference.rows)
    if reference.numbers and current.numbers:
        return _by_edges(reference, current)
    return None


def _by_value(reference: Values, current: Values, scale: float) -> _Binned | None:
    """The most frequent values of the baseline, and all others, rare or new, together.

    Values that the baseline saw a few times only are not kept apart: how often they occur in it is chance,
    and another sample of the same world would look different.
    """
    now = dict(current.items)
    if set(now) != {v for v, _ in reference.items}:
        raise ValueError("the two columns are not in one layout")
    if not reference.items:
        return None
    kept = [v for v, n in reference.items[:_TOP] if n * scale >= _ROWS_A_BIN]
    before = dict(reference.items)
    rest_before = sum(before.values()) - sum(before[v] for v in kept) + reference.other
    rest_now = sum(now.values()) - sum(now[v] for v in kept) + current.other
    labels = [_label(v) for v in kept]
    return (
        [*labels, "rare or new"],
        [*(before[v] for v in kept), rest_before],
        [*(now[v] for v in kept), rest_now],
    )


def _label(value: object) -> str:
    return str(value) if value != "" else "(empty)"


def _by_edges(reference: Column, current: Column) -> _Binned | None:
    """The baseline's bins, neighbours taken together until each holds enough rows."""
    assert reference.numbers and current.numbers
    bins, now = reference.numbers.bins, current.numbers.bins
    if bins.edges != now.edges:
        raise ValueError("the two columns are not in one layout")
    if not bins.edges:
        return None
    scale = min(reference.rows, current.rows) / reference.rows
    labels, before, after = [], [0], [0]
    start = "−∞"
    for edge, n, m in zip([*bins.edges, None], bins.counts, now.counts, strict=True):
        before[-1] += n
        after[-1] += m
        if edge is None:
            labels.append(f"> {start}" if start != "−∞" else "all")
        elif before[-1] * scale >= _ROWS_A_BIN:
            labels.append(f"{start} … {edge:.4g}" if start != "−∞" else f"≤ {edge:.4g}")
            start = f"{edge:.4g}"
            before.append(0)
            after.append(0)
    return labels, before, after


def _with_rest(binned: _Binned, reference: Column, current: Column) -> _Binned:
    labels, before, now = binned
    return (
        [*labels, "missing", "invalid"],
        [*before, reference.missing, reference.invalid],
        [*now, current.missing, current.invalid],
    )


def _without_empty(
    labels: Sequence[str], before: Sequence[int], now: Sequence[int]
) -> tuple[tuple[str, ...], tuple[int, ...], tuple[int, ...]]:
    kept = [i for i in range(len(labels)) if before[i] or now[i]]
    return tuple(labels[i] for i in kept), tuple(before[i] for i in kept), tuple(now[i] for i in kept)


def _distance(reference: Column, current: Column, before: Sequence[int], now: Sequence[int]) -> float | None:
    old, new = reference.numbers, current.numbers
    if not old or not new:
        return distances.largest_change(before, now)
    if not old.std or not new.count or old.minimum is None or new.minimum is None:
        return None
    assert old.maximum is not None and new.maximum is not None
    bounds = (float(min(old.minimum, new.minimum)), float(max(old.maximum, new.maximum)))
    edges, before_fine = _fine(old)
    return distances.wasserstein(edges, before_fine, _fine(new)[1], bounds, old.std)


def _fine(numbers: Numbers) -> tuple[list[float], list[int]]:
    """The counts between the edges of both kinds: each of them says how many values lie below it."""
    below: dict[float, int] = {}
    for bins in (numbers.bins, numbers.histogram):
        below |= dict(zip(bins.edges, accumulate(bins.counts), strict=False))
    edges = sorted(below)
    cumulative = [0, *(below[e] for e in edges), numbers.count]
    return edges, [high - low for low, high in pairwise(cumulative)]


def new_values_floor(reference: Column, rows: int) -> float:
    """The share of values never seen in the baseline that another sample of the same world may hold.

    The probability that the next value is new is about f₁/n, f₁ being how many values occurred once: Good,
    "The population frequencies of species and the estimation of population parameters", 1953; its variance is
    about (f₁ + 2f₂)/n² (Robbins, 1968). Five standard errors are added for both samples.

    Args:
        reference: The baseline's column with a complete list of its values.
        rows: Rows of the table that is compared; at least 1.
    """
    counts = [n for _, n in reference.values.items] if reference.values else []
    n = max(1, sum(counts))
    once, twice = counts.count(1), counts.count(2)
    expected = once / n
    variance = (once + 2 * twice + 1) / n**2 + max(expected, 1 / n) / rows
    return float(min(1.0, expected + 5 * variance**0.5))
