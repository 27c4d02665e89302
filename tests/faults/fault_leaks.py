"""Leaks, which `evergreen features` must find: columns that know the label."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from fault_gates import features
from fault_world import TABLES, Fault, Frame, Random, generator

from evergreen.findings import Finding

LEAK = ("leak",)


def leak(
    name: str, table: str, plant: Callable[[Frame, Random], object], *, label: str = "target",
    time: str | None = None, column: str = "planted",
) -> Fault:  # fmt: skip
    """A column planted into a real table; the finding must name it."""

    def run(folder: Path, seed: int) -> Sequence[Finding]:
        frame = TABLES[table]().drop(columns="retail_disc", errors="ignore")  # that is `on_sale` itself
        return features(folder, frame.assign(planted=plant(frame, generator(seed))), label, time)

    return Fault(name, "leaks", "features", table, (column,), LEAK, run)


def later(f: Frame, r: Random) -> pd.Series:
    """A time that is set only once the outcome is there, days after the row."""
    after = f["transaction_timestamp"] + pd.to_timedelta(r.uniform(1, 20, len(f)), unit="D")
    return after.where(f["on_sale"])


LEAKS = (
    leak("a copy with 3 % noise", "cancer",
         lambda f, r: np.where(r.random(len(f)) < 0.03, r.permutation(f["target"]), f["target"]) + 0.0),
    leak("the label with a little noise", "diabetes",
         lambda f, r: f["target"] + r.normal(0, 0.05 * f["target"].std(), len(f))),
    leak("missing only in the positive rows", "cancer",
         lambda f, r: np.where((f["target"] == 1) & (r.random(len(f)) < 0.7), np.nan, r.normal(size=len(f)))),
    leak("row numbers in order of the label", "cancer",
         lambda f, r: np.argsort(np.argsort(f["target"] + r.random(len(f)) * 0.9)).astype(float)),
    leak("means of the label by a code", "cancer",
         lambda f, r: f["target"].groupby(r.integers(0, len(f) // 3, len(f))).transform("mean")),
    leak("a text that spells the class", "wine",
         lambda f, r: [f"lot {'ABC'[k]}" for k in np.where(r.random(len(f)) < 0.01, 0, f["target"])]),
    leak("a time after the outcome", "lines", later, label="on_sale", time="transaction_timestamp",
         column="planted__age_days"),
)  # fmt: skip
