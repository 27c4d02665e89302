"""Which features give the label away: each rule's evidence, weighed against what all other features can do.

A leak is too good alone *and* far above the rest: honest easy tables have several features that do nearly as
well. Where the rest does well too, only the shape of the column tells (`leak_shapes`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from evergreen.modeling.selection import leak_shapes as shapes
from evergreen.modeling.selection.alone import Score, metric_of, score
from evergreen.modeling.selection.leak_shapes import Shape
from evergreen.modeling.selection.pairs import EXACT, exact_pair
from evergreen.modeling.selection.quick import Problem, out_of_fold
from evergreen.modeling.selection.redundancy import Redundancy
from evergreen.modeling.selection.sample import Sample
from evergreen.reports.text import number

_TOO_GOOD = {"roc_auc": (0.95, 0.99), "accuracy": (0.9, 0.98), "r2": (0.97, 0.995)}
_TIMES = 3.0
_MOST_RESTS = 6
_ALIKE = 0.98
_NAMES = {"roc_auc": "ROC AUC", "accuracy": "accuracy", "r2": "R²"}


@dataclass(frozen=True)
class Leak:
    """One feature that may give the label away.

    Attributes:
        feature: Its name.
        rule: What was seen.
        sure: Whether the evidence is overwhelming.
        reason: One sentence.
        observed: What was measured.
        threshold: The bound.
        count: How many rows show it, or None.
    """

    feature: str
    rule: str
    sure: bool
    reason: str
    observed: float
    threshold: float
    count: int | None = None


@dataclass
class Screen:
    """What the rules look at; `rests` remembers what models without some features can do."""

    sample: Sample
    problem: Problem
    scores: Sequence[Score]
    alike: Redundancy
    label_source: str
    suspects: set[int] = field(default_factory=set)
    rests: dict[frozenset[int], Score | None] = field(default_factory=dict)

    def rest(self, place: int, near: bool = False) -> Score | None:
        """What all features can do but this one, its near copies, and those already under suspicion.

        With `near` also without those that err at most twice as much alone. None where no feature is left, or
        models of the rest were asked for too often.
        """
        like = np.flatnonzero(self.alike.likeness[place] >= _ALIKE).tolist()
        close = [k for k, s in enumerate(self.scores) if near and s.error <= 2 * self.scores[place].error]
        left_out = frozenset([place, *like, *close, *(self.suspects - {place})])
        if left_out not in self.rests:
            places = [k for k in range(len(self.scores)) if k not in left_out]
            if not places or len(self.rests) >= _MOST_RESTS:
                return None
            values = self.sample.model_values[:, places]
            _, outputs = out_of_fold(self.problem, values, self.sample.repeats[:1])
            self.rests[left_out] = score(self.problem, outputs, self.sample.clusters)
        return self.rests[left_out]

    def times_better(self, place: int, near: bool = False) -> float:
        """By how many times the feature alone errs less than the rest, at the near ends of both intervals."""
        rest = self.rest(place, near)
        if rest is None:
            return 0.0
        return max(0.0, 1 - rest.high) / max(1e-9, 1 - self.scores[place].low)

    def rest_knows(self, place: int) -> bool:
        """Whether the rest foretells the label at all.

        Where it does not, the label may follow from this feature alone, as in a table made by a rule.
        """
        rest = self.rest(place)
        if rest is None:
            return False
        prior = (
            float(np.bincount(self.problem.label).max()) / len(self.problem.label)
            if self.problem.classes
            else 0
        )
        least = {"roc_auc": 0.55, "accuracy": prior + 0.05 * (1 - prior), "r2": 0.05}
        return rest.low >= least[metric_of(self.problem.classes)]


def find_leaks(screen: Screen) -> list[Leak]:
    """Look at every feature; the surest findings first."""
    found: list[Leak] = []
    order = sorted(range(len(screen.scores)), key=lambda k: screen.scores[k].error)
    for place in order:
        leaks = _leaks_of(screen, place)
        if leaks and any(leak.rule != "leak future" for leak in leaks):
            screen.suspects.add(place)
        found += leaks
    found += _pairs(screen)
    return sorted(found, key=lambda leak: not leak.sure)


def _leaks_of(screen: Screen, place: int) -> list[Leak]:
    name = screen.sample.names[place]
    seen = _shapes(screen, place)
    good, very = _too_good(screen, place)
    numbered = not screen.sample.is_category(place) and shapes.row_number(
        screen.sample.values[:, place], screen.sample.total
    )
    named = _like_label(name, str(screen.sample.meta["label"])) and _own(screen, name)
    doubtful = good or numbered or named or any(not s.sure for s in seen)
    times = screen.times_better(place) if doubtful and _worth_a_model(screen, place) else 0.0
    far = times >= _TIMES
    leaks = [_of_shape(screen, place, s, far) for s in seen if s.sure or s.likely or far]
    if good and not leaks and (far or (very and screen.times_better(place, near=True) >= _TIMES)):
        sure = (very or numbered) and far and screen.rest_knows(place)
        leaks.append(_near_perfect(screen, place, sure, not far, numbered))
    if numbered and not leaks and _tells(screen, place):
        leaks.append(_numbered(screen, place))
    if named and not leaks and times >= 1.5:
        words = f"{name!r} is called like the label and alone errs {number(times)} times less than the rest"
        leaks.append(Leak(name, "leak name", False, words, times, 1.5))
    return leaks


def _worth_a_model(screen: Screen, place: int) -> bool:
    """A model of the rest costs time: only for a feature that does well by itself."""
    bar = {"roc_auc": 0.8, "accuracy": 0.5, "r2": 0.6}[metric_of(screen.problem.classes)]
    return _skill(screen, place).value >= bar


def _shapes(screen: Screen, place: int) -> list[Shape]:
    sample, column = screen.sample, screen.sample.values[:, place]
    label, classes = screen.problem.label, screen.problem.classes
    known = sample.target.classes is not None and len(sample.target.classes) == classes
    looked: list[Shape | None] = [shapes.in_the_future(sample.names[place], column)]
    if known:
        looked += [
            shapes.copy_of_label(column, label, classes),
            shapes.told_by_missing(column, label, classes),
        ]
    if not sample.is_category(place):
        if known:
            looked.append(shapes.label_with_noise(column, label, classes))
        if known and classes == 2:
            looked.append(shapes.encoded_from_label(column, label))
        if not classes:
            looked.append(shapes.equal_to_label(column, sample.raw_label))
    seen = [s for s in looked if s is not None]
    rules = [s.rule for s in seen]
    return [s for s in seen if s.rule != "leak copy" or "leak missing" not in rules]


def _skill(screen: Screen, place: int) -> Score:
    """Accuracy as the share of what the commonest class leaves open; the others as they are."""
    own = screen.scores[place]
    if metric_of(screen.problem.classes) != "accuracy":
        return own
    prior = float(np.bincount(screen.problem.label).max()) / len(screen.problem.label)
    low, value, high = ((s - prior) / (1 - prior) for s in (own.low, own.value, own.high))
    return Score(value, low, high)


def _too_good(screen: Screen, place: int) -> tuple[bool, bool]:
    good, very = _TOO_GOOD[metric_of(screen.problem.classes)]
    low = _skill(screen, place).low
    return low >= good, low >= very


def _tells(screen: Screen, place: int) -> bool:
    bar = {"roc_auc": 0.75, "accuracy": 0.4, "r2": 0.5}[metric_of(screen.problem.classes)]
    return _skill(screen, place).low >= bar


def _own(screen: Screen, name: str) -> bool:
    """Whether the feature is a column of the label's own row: of other sources only what was known counts."""
    return any(
        f["name"] == name and f.get("source") == screen.label_source for f in screen.sample.meta["features"]
    )


def _like_label(name: str, label: str) -> bool:
    plain, wanted = (re.sub(r"[^a-z0-9]+", "", text.casefold()) for text in (name, label))
    return len(wanted) >= 4 and wanted in plain


def _scored(screen: Screen, place: int, near: bool = False) -> str:
    metric, own = metric_of(screen.problem.classes), screen.scores[place]
    rest = screen.rest(place, near)
    words = (
        f"alone it has a {_NAMES[metric]} of {number(own.value)} ({number(own.low)} to {number(own.high)})"
    )
    others = "all others but those about as good" if near else "all others together"
    return words + (f", {others} {number(rest.value)}" if rest else "")


def _of_shape(screen: Screen, place: int, seen: Shape, far: bool) -> Leak:
    name = screen.sample.names[place]
    sure = seen.sure or (far and seen.likely and seen.rule != "leak future" and screen.rest_knows(place))
    more = f"; {_scored(screen, place)}" if far else ""
    return Leak(
        name, seen.rule, sure, f"{name!r} {seen.words}{more}", seen.observed, seen.threshold, seen.count
    )


def _near_perfect(screen: Screen, place: int, sure: bool, near: bool, numbered: bool) -> Leak:
    """Where others are about as good (`near`), either all of them leak or the table is easy: never sure."""
    name = screen.sample.names[place]
    own = screen.scores[place]
    kind = " and is a running number" if numbered else ""
    reason = f"{name!r} is too good{kind}: {_scored(screen, place, near)}"
    threshold = _TOO_GOOD[metric_of(screen.problem.classes)][0]
    return Leak(name, "leak too good", sure, reason, own.value, threshold)


def _numbered(screen: Screen, place: int) -> Leak:
    name, own = screen.sample.names[place], screen.scores[place]
    reason = f"{name!r} is a running number; {_scored(screen, place)}. Are the rows sorted by the label?"
    return Leak(name, "leak row number", False, reason, own.value, 0.75)


def _pairs(screen: Screen) -> list[Leak]:
    if screen.problem.classes:
        return []
    sample = screen.sample
    numbers = np.array([k for k in range(len(sample.names)) if not sample.is_category(k)], dtype=int)
    pair = exact_pair(sample.values, numbers, sample.raw_label)
    if pair is None:
        return []
    first, second = sample.names[pair.first], sample.names[pair.second]
    how = "a product of their powers" if pair.product else "a weighted sum of them"
    reason = (
        f"{first!r} and {second!r} together give the label: {how} explains {pair.explained:.2%} of it. "
        "Is one of them known only after it?"
    )
    return [Leak(n, "leak pair", False, reason, pair.explained, EXACT) for n in (first, second)]
