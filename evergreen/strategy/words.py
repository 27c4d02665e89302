"""A strategy as lines of text, for a terminal."""

from collections.abc import Iterator

from evergreen.reports.text import interval, number, percent
from evergreen.strategy.model import Strategy, TailSlice


def lines(strategy: Strategy) -> Iterator[str]:
    """The size, what follows, and the slices."""
    yield headline(strategy)
    for advice in strategy.advice:
        yield f"  {advice.topic}: {advice.text}"
        if advice.command:
            yield f"    → {advice.command}"
    if strategy.slices:
        yield f"long tail ({len(strategy.slices)} of {strategy.looked_at} slices that were looked at):"
    for one in strategy.slices:
        yield f"  {one.name}: {number(one.rows)} rows ({percent(one.share)}), {one.words}{_label(one)}"


def headline(strategy: Strategy) -> str:
    """The size in one sentence."""
    bound = f"the threshold is {number(strategy.threshold)}"
    return f"{strategy.size.capitalize()} data: {number(strategy.rows)} rows ({bound})."


def _label(one: TailSlice) -> str:
    if one.label is None:
        return ""
    between = interval(one.label_low, one.label_high)
    differs = ", not that of the other rows" if one.different else ""
    return f"; label {number(one.label)}" + (f" ({between})" if between else "") + differs
