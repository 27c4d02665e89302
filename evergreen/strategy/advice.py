"""What follows from the size of the data: each advice with the number behind it."""

from collections.abc import Sequence

from evergreen.project.model import LongTail
from evergreen.reports.text import number, percent
from evergreen.strategy.model import Advice, Entities, TailSlice
from evergreen.strategy.roles import Label

_FEW_EVENTS, _RARE_CLASS, _IMBALANCED = 10, 100, 0.1


def advise(
    rows: int, settings: LongTail, label: Label | None, features: int, entities: Entities | None,
    slices: Sequence[TailSlice], errors: tuple[float | None, float | None], test_rows: int,
) -> tuple[Advice, ...]:  # fmt: skip
    """What follows, the most important first.

    Args:
        rows: Of the table.
        settings: `long_tail` of the project.
        label: The label; None without one.
        features: How many there are.
        entities: How rows are spread; None without an entity.
        slices: The long tail.
        errors: Half the width of the leading metric's interval, and the least detectable loss.
        test_rows: Rows of the test set.
    """
    small = rows < settings.small
    found = [_small(rows, label) if small else _large(rows, settings)]
    found += _test_set(test_rows, errors, small)
    found += _classes(label, test_rows / rows if rows else 0.0)
    found += _events(rows, label, features) if small else []
    found += _dependence(rows, entities, settings)
    found += _tail(rows, slices)
    return tuple(found)


def _small(rows: int, label: Label | None) -> Advice:
    wrong = rows * 0.01
    rare = min((n for _, n in label.classes), default=0) if label else 0
    more = f" (the rarest class has {number(rare)})" if rare else ""
    text = (
        f"Small data: label accuracy first. If 1 label in 100 is wrong, {number(round(wrong))} of "
        f"{number(rows)} rows teach the wrong thing{more}, and there are too few others to outvote them. "
        "Review labels one by one before tuning anything."
    )
    return Advice("label accuracy first", text, rows, "evergreen labels review")


def _large(rows: int, settings: LongTail) -> Advice:
    text = (
        f"Large data ({number(rows)} rows, {number(settings.small)} or more): post-processing first. Random "
        "label errors average out; thresholds by slice, calibration and rules after the model move the "
        "metric most for the least work. Inspect labels by a sample."
    )
    return Advice("post-processing first", text, rows)


def _test_set(rows: int, errors: tuple[float | None, float | None], small: bool) -> list[Advice]:
    half, least = errors
    if half is None or least is None:
        return []
    more = " Cross-validate, or give the test set more rows, before two models are compared." if small else ""
    text = (
        f"A test set of {number(rows)} rows tells the leading metric to ±{number(half)}; a loss below "
        f"{number(least)} against the baseline is noise.{more}"
    )
    return [Advice("what the test set can tell", text, least)]


def _classes(label: Label | None, test: float) -> list[Advice]:
    if label is None or len(label.classes) < 2:
        return []
    total = sum(n for _, n in label.classes)
    value, fewest = label.classes[-1]
    share = fewest / total
    found = []
    if share < _IMBALANCED and len(label.classes) == 2:
        text = (
            f"Imbalanced: {percent(share)} of the labels are {value}, {number(round(fewest * test))} of them "
            "in the test set. Judge by average precision, and try `model.class_weight: balanced`."
        )
        found.append(Advice("imbalance", text, share))
    rare = [n for _, n in label.classes if n < _RARE_CLASS]
    if rare and len(label.classes) > 2:
        text = (
            f"{number(len(rare))} of {number(len(label.classes))} classes have fewer than {_RARE_CLASS} "
            "rows: collect more of them, take them together, or leave them out."
        )
        found.append(Advice("rare classes", text, len(rare)))
    return found


def _events(rows: int, label: Label | None, features: int) -> list[Advice]:
    """Below 10 events a variable, estimates are not to be trusted (Peduzzi, J. Clin. Epidemiol. 1996)."""
    events = min((n for _, n in label.classes), default=rows) if label else rows
    if not features or events / features >= _FEW_EVENTS:
        return []
    text = (
        f"{number(events)} rows of the rarer class for {number(features)} features are "
        f"{number(events / features)} a feature, fewer than {_FEW_EVENTS}: keep fewer features, or a simple, "
        "regularised model."
    )
    return [Advice("fewer features", text, events / features)]


def _dependence(rows: int, entities: Entities | None, settings: LongTail) -> list[Advice]:
    if entities is None or entities.mean <= 1:
        return []
    named = " & ".join(entities.columns)
    found = []
    if entities.effective_rows < 0.9 * rows:
        kind = "small" if entities.effective_rows < settings.small else "large"
        text = (
            f"{number(rows)} rows of {number(entities.count)} {named} are as good as "
            f"{number(round(entities.effective_rows))} independent ones ({kind} data), since labels of one "
            f"are alike (ICC {number(entities.icc)}). Split by entity or by time; intervals draw "
            "whole entities."
        )
        found.append(Advice("rows are not independent", text, entities.effective_rows))
    tail = entities.bands[-1]
    head = entities.bands[0]
    if entities.gini > 0.3 and tail.name == "tail":
        text = (
            f"Unequal: {number(head.entities)} of {number(entities.count)} {named} hold half of the rows "
            f"(up to {number(entities.most)} each), the {number(tail.entities)} of the tail hold "
            f"{percent(tail.rows / rows)} ({number(tail.fewest)} to {number(tail.most)} each). An average "
            "over rows is about the head; measure the tail on its own."
        )
        found.append(Advice("a long tail", text, entities.gini))
    return found


def _tail(rows: int, slices: Sequence[TailSlice]) -> list[Advice]:
    if not slices:
        return []
    judged = [s for s in slices if s.judged]
    text = (
        f"{number(len(slices))} slices are small data inside the data; {number(len(judged))} of them have "
        "test rows enough to be judged. Evaluation gives them wider intervals; hold them with "
        "`gates.model.changes: [{metric: …, max_loss: …, slice: 'long_tail:*'}]`."
    )
    return [Advice("small data inside the data", text, len(slices))]
