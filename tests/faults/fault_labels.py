"""Faults in labels, which `validate_labels` must find: flips, conflicts, copies, missing and rare ones."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from fault_gates import labels, labels_of_file
from fault_world import TABLES, Fault, Frame, Random, generator, halves

from evergreen.findings import Finding

Plant = Callable[[Frame, Random], Frame]
FLIPS = ("wrong labels",)


def labelled(name: str, rows: int | None = None) -> Frame:
    """A table of science with the label in `y` (a text, or a number) and a key `id`."""
    table = TABLES[name]().rename(columns={"target": "y"})
    if name != "diabetes":
        table["y"] = [f"class {k}" for k in table["y"]]
    if rows is not None:
        table = table.sample(rows, random_state=2)
    return table.reset_index(drop=True).assign(id=np.arange(rows or len(table)))


def flips(share: float, given: str | None = None, to: str | None = None) -> Plant:
    """Another class in a share of the rows, or of one class's rows."""

    def plant(f: Frame, r: Random) -> Frame:
        classes = sorted(f["y"].unique())
        chosen = (r.random(len(f)) < share) & ((f["y"] == given) if given else True)
        others = [to or r.choice([c for c in classes if c != v]) for v in f["y"]]
        return f.assign(y=np.where(chosen, others, f["y"]))

    return plant


def inverted(f: Frame, r: Random) -> Frame:
    """The two classes exchanged."""
    a, b = sorted(f["y"].unique())
    return f.assign(y=f["y"].map({a: b, b: a}))


def copies(share: float, change: Callable[[Frame, Random], Frame]) -> Plant:
    """Some rows again under another key, with a change."""

    def plant(f: Frame, r: Random) -> Frame:
        some = f.iloc[r.permutation(len(f))[: round(share * len(f))]]
        again = change(some.assign(id=np.arange(len(some)) + len(f)), r)
        return pd.concat([f, again], ignore_index=True)

    return plant


def nearly(f: Frame, r: Random) -> Frame:
    """The same measures in the sixth digit otherwise."""
    numbers = [c for c in f if c not in ("y", "id")]
    return f.assign(**{c: f[c] * (1 + r.normal(0, 1e-6, len(f))) for c in numbers})


def other_class(f: Frame, r: Random) -> Frame:
    """The next class."""
    classes = sorted(f["y"].unique())
    return f.assign(y=[classes[(classes.index(v) + 1) % len(classes)] for v in f["y"]])


def fault(
    family: str, name: str, table: str, plant: Plant, rules: Sequence[str], column: str = "y",
    rows: int | None = None, against: bool = False,
) -> Fault:  # fmt: skip
    """A fault in the labels of a table; `against` an earlier half of it, where the gate needs one."""

    def run(folder: Path, seed: int) -> Sequence[Finding]:
        whole = labelled(table, rows)
        before, after = halves(whole, seed) if against else (None, whole)
        return labels(folder, plant(after, generator(seed)), before)

    return Fault(name, family, "labels", table, (column,), tuple(rules), run)


def unlabelled(folder: Path, seed: int) -> Sequence[Finding]:
    """8 % of the labels have not come."""
    table = labelled("wine")
    missing = generator(seed).random(len(table)) < 0.08
    return labels_of_file(folder, table.assign(y=table["y"].mask(missing, None)))


LABELS = (
    Fault("8 % of the labels", "missing jumps", "labels", "wine", ("y",), ("missing label",), unlabelled),
    fault("label flips", "8 % of two classes", "cancer", flips(0.08), FLIPS),
    fault("label flips", "10 % of three classes", "wine", flips(0.10), FLIPS),
    fault("label flips", "5 % of ten classes", "digits", flips(0.05), FLIPS, rows=900),
    fault("label flips", "a fifth of one class", "wine", flips(0.2, "class 1", "class 2"), FLIPS),
    fault("label flips", "both classes exchanged since the baseline", "cancer", inverted, ("label drift",),
          against=True),
    fault("label flips", "a number tenfold in 4 % of the rows", "diabetes",
          lambda f, r: f.assign(y=f["y"].astype(float).mask(r.random(len(f)) < 0.04, f["y"] * 10)), FLIPS),
    fault("conflicting labels", "3 % of the rows again with another label", "cancer",
          copies(0.03, other_class),
          ("conflicting labels",)),
    fault("duplicates", "copies of training rows in the test part", "wine", copies(0.1, lambda f, r: f),
          ("copies across the split", "duplicates"), ""),
    fault("duplicates", "all but equal rows", "cancer", copies(0.06, nearly), ("near copies",), ""),
    fault("vanished categories", "a class with five rows left", "wine",
          lambda f, r: f.drop(f.index[f["y"] == "class 2"][5:]), ("rare class",)),
    fault("vanished categories", "a class of the baseline gone", "wine", lambda f, r: f[f["y"] != "class 2"],
          ("label drift",), against=True),
)  # fmt: skip
