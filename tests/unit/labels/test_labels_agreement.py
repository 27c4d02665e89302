import numpy as np
import pandas as pd
import pytest

from evergreen.intervals import Z_99, wilson
from evergreen.labels.agreement import agreement

# Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), the example with missing data:
# nominal alpha 0.743, interval alpha 0.849.
KRIPPENDORFF = {
    "A": [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    "B": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    "C": [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    "D": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
}
# Fleiss (1971) as worked through in textbooks: 10 items, 14 labellers, 5 classes, kappa 0.210.
FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def long(table):
    rows = [(i, who, v) for who, values in table.items() for i, v in enumerate(values) if v is not None]
    return pd.DataFrame(rows, columns=["item", "labeller", "label"])


def test_alpha_of_krippendorffs_example():
    assert agreement(long(KRIPPENDORFF)).alpha == pytest.approx(0.743, abs=5e-4)
    assert agreement(long(KRIPPENDORFF), "interval").alpha == pytest.approx(0.849, abs=5e-4)


def test_kappa_of_fleiss_example():
    rows = []
    for item, counts in enumerate(FLEISS):
        labels = [k for k, n in enumerate(counts) for _ in range(n)]
        rows += [(item, f"w{w}", label) for w, label in enumerate(labels)]
    found = agreement(pd.DataFrame(rows, columns=["item", "labeller", "label"]))
    assert found.kappa == pytest.approx(0.210, abs=5e-4)


def test_a_careless_labeller_is_named_and_disputed_items_come_first():
    rng = np.random.default_rng(0)
    truth = rng.choice(["cat", "dog"], 120)
    table = {who: list(truth) for who in ("ann", "bob", "cyd")}
    table["dan"] = [t if rng.random() < 0.55 else "dog" if t == "cat" else "cat" for t in truth]
    found = agreement(long(table))
    assert found.outliers == ("dan",) and found.labellers[0].name == "dan"
    low, high = found.interval
    assert low < found.alpha < high < 0.95
    assert found.adjudicate and found.adjudicate[0].share == 0.75
    assert found.adjudicate[0].consensus in ("cat", "dog")
    assert sum(found.confusion[0]) == pytest.approx(1)


def test_full_agreement_and_nothing_to_compare():
    same = agreement(long({"a": ["x", "y", "x"], "b": ["x", "y", "x"]}))
    assert same.alpha == same.kappa == 1 and not same.adjudicate
    assert agreement(long({"a": ["x", "y"]})) is None
    twice = pd.DataFrame({"item": [1, 1], "labeller": ["a", "a"], "label": ["x", "y"]})
    assert agreement(twice) is None


def test_wilson_is_within_zero_and_one():
    for hits, rows in ((0, 0), (0, 5), (5, 5), (3, 10)):
        low, high = wilson(hits, rows, Z_99)
        assert 0 <= low <= high <= 1
