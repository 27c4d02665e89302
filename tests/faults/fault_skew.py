"""Skewed serving copies, which `check_skew` must find: the rows of training, served otherwise."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from fault_changes import Plant, column, factor, put, shifted, swapped, text
from fault_gates import skew
from fault_world import Fault, Frame, Random, generator, lines

from evergreen.findings import Finding

KEY, TIME = ("household_id", "basket_id", "product_id"), "transaction_timestamp"
NAMES = ", ".join(KEY)
FEATURES = (
    "quantity",
    "sales_value",
    "retail_disc",
    "on_sale",
    "department",
    "brand",
    "mean_so_far",
    "spent_so_far",
)
META = {
    "name": "faults", "digest": "0" * 64, "version": 0, "entity": ["household_id"], "time": TIME,
    "label": None,
    "key": ["basket_id", "product_id"], "excluded": {},
    "features": [{"name": c, "group": "plain", "type": "number", "source": "s"} for c in FEATURES],
}  # fmt: skip


def served() -> Frame:
    """3,000 lines with features of a household so far: what a model was trained on."""
    table = lines().head(3_000).drop_duplicates([*KEY, TIME]).reset_index(drop=True)
    by = table.groupby("household_id")["sales_value"]
    return table.assign(mean_so_far=by.transform(lambda s: s.expanding().mean()), spent_so_far=by.cumsum())


def fault(
    name: str, plant: Plant, columns: str | Sequence[str], rules: Sequence[str], family: str = ""
) -> Fault:
    """A copy of the training rows with a fault in it; the finding must name column and cause."""

    def run(folder: Path, seed: int) -> Sequence[Finding]:
        training = served()
        return skew(folder, training, plant(training, generator(seed)), META)

    named = (columns,) if isinstance(columns, str) else tuple(columns)
    return Fault(name, family or "skewed serving copies", "skew", "lines", named, tuple(rules), run)


def stale(f: Frame, r: Random) -> Frame:
    """Half of the rows with the household's value before the last."""
    earlier = f.groupby("household_id")["spent_so_far"].shift(1)
    return f.assign(spent_so_far=f["spent_so_far"].mask((r.random(len(f)) < 0.5) & earlier.notna(), earlier))


def scattered(change: Callable[[pd.Series], pd.Series], name: str, share: float) -> Plant:
    """A change in some rows of a column."""
    return lambda f, r: f.assign(**{name: f[name].where(r.random(len(f)) > share, change(f[name]))})


SKEWS = (
    fault("a hundredfold", column("sales_value", factor(100)), "sales_value", ("skew unit",)),
    fault("rounded", column("mean_so_far", lambda s, r: s.round(1)), "mean_so_far", ("skew precision",)),
    fault("stale", stale, "spent_so_far", ("skew stale",)),
    fault("a default for 5 % of the rows", column("retail_disc", put(-1.0, 0.05)), "retail_disc",
          ("skew default",)),
    fault("a clock nine hours ahead", column(TIME, shifted(pd.Timedelta(hours=9))), TIME, ("skew clock",),
          "clock shifts"),
    fault("in small letters", column("brand", text(str.lower)), "brand", ("skew spelling",)),
    fault("missing in 2 % of the rows", column("mean_so_far", lambda s, r: s.mask(r.random(len(s)) < 0.02)),
          "mean_so_far", ("skew missing",)),
    fault("another feature's values", swapped("mean_so_far", "spent_so_far"), ("mean_so_far", "spent_so_far"),
          ("skew swapped",)),
    fault("a feature that is not served", lambda f, r: f.drop(columns="retail_disc"), "retail_disc",
          ("skew missing feature",)),
    fault("a boolean as text", lambda f, r: f.assign(on_sale=f["on_sale"].map({True: "oui", False: "non"})),
          "on_sale", ("skew type",)),
    fault("0.5 more in 1 % of the rows", scattered(lambda s: s + 0.5, "sales_value", 0.01), "sales_value",
          ("skew offset",)),
    fault("a boolean inverted", column("on_sale", lambda s, r: ~s), "on_sale", ("skew",)),
    fault("rows served twice", lambda f, r: pd.concat([f, f.head(60)], ignore_index=True), NAMES,
          ("skew repeated",)),
)  # fmt: skip
