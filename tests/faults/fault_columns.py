"""Faults in columns of a table, which `evergreen validate` must find against yesterday's table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from fault_changes import (
    Plant,
    capped,
    column,
    day_for_month,
    factor,
    factor_where,
    linear,
    mojibake,
    moved_along,
    noisy,
    put,
    rolled,
    shifted,
    shuffled,
    stuck,
    swapped,
    text,
    written,
)  # fmt: skip
from fault_gates import data
from fault_world import TABLES, Fault, Options, generator, halves

from evergreen.findings import Finding

NUMBERS = ("drift", "range", "extremes", "type", "values", "slice", "max_missing", "missing", "sentinel")
DRIFT = ("drift", "extremes", "values")
WRITTEN = ("format", "length", "domain", "new values", "values", "drift")


def fault(
    family: str, name: str, table: str, plant: Plant, columns: Sequence[str] | str, rules: Sequence[str],
    options: Options | None = None,
) -> Fault:  # fmt: skip
    """A fault planted in one random half of a table, the other half being the baseline."""

    def run(folder: Path, seed: int) -> Sequence[Finding]:
        before, after = halves(TABLES[table](), seed)
        return data(folder, before, plant(after, generator(seed)), options)

    named = (columns,) if isinstance(columns, str) else tuple(columns)
    return Fault(name, family, "data", table, named, tuple(rules), run)


CSV = Options(csv=True)
TIME = Options(roles={"basket_id": "key", "transaction_timestamp": "time"})

COLUMNS = (
    # Dirty numbers: the column is no longer one of numbers.
    fault("dirty numbers", "currency signs", "lines", column("sales_value", written("${:.2f}".format)),
          "sales_value", ("type",), CSV),
    fault("dirty numbers", "thousands separators", "cancer", column("mean area", written("{:,.1f}".format)),
          "mean area", ("type",), CSV),
    fault("dirty numbers", "the word Zero in 1 % of the rows", "lines",
          column("quantity", written(lambda v: "Zero", 0.01)), "quantity", ("type",), CSV),
    fault("dirty numbers", "a unit behind each number", "iris",
          column("sepal length (cm)", written("{} CM".format)), "sepal length (cm)", ("type",), CSV),
    fault("dirty numbers", "decimal commas", "wine", column("alcohol",
          written(lambda v: str(v).replace(".", ","))),
          "alcohol", ("type",), CSV),
    # Swapped columns.
    fault("swapped columns", "of unlike ranges", "diabetes", swapped("bmi", "bp"), ("bmi", "bp"), DRIFT),
    fault("swapped columns", "of like ranges", "iris", swapped("sepal width (cm)", "petal length (cm)"),
          ("sepal width (cm)", "petal length (cm)"), DRIFT),
    fault("swapped columns", "almost the same distribution", "wine", swapped("ash", "total_phenols"),
          ("ash", "total_phenols"), (*DRIFT, "association", "precision")),
    fault("swapped columns", "categories that share their values", "demographics",
          swapped("household_size", "kids_count"), ("household_size", "kids_count"), ("domain", *DRIFT)),
    fault("swapped columns", "four measures one column too far", "cancer",
          moved_along(["mean smoothness", "mean compactness", "mean concavity", "mean concave points"]),
          ("mean smoothness", "mean compactness", "mean concavity", "mean concave points"),
          (*DRIFT, "range")),
    # Unit changes.
    fault("unit changes", "inches for centimetres", "iris", column("petal length (cm)", factor(1 / 2.54)),
          "petal length (cm)", NUMBERS),
    fault("unit changes", "cents for dollars", "lines", column("sales_value", factor(100)), "sales_value",
          NUMBERS),
    fault("unit changes", "a thousandfold in 30 % of the rows", "cancer",
          column("mean area", factor(1000, 0.3)),
          "mean area", NUMBERS),
    fault("unit changes", "pounds for kilograms in 10 % of the rows", "diabetes",
          column("bmi", factor(2.2046, 0.1)),
          "bmi", NUMBERS),
    fault("unit changes", "cents in one department only", "lines",
          factor_where("sales_value", lambda f: f["department"] == "PRODUCE", 100), "sales_value", NUMBERS),
    fault("unit changes", "a fifth cheaper in one department only", "lines",
          factor_where("sales_value", lambda f: f["department"] == "GROCERY", 0.8), "sales_value",
          (*NUMBERS, "precision"), Options(slices=("department",))),
    fault("unit changes", "Fahrenheit for Celsius in form", "diabetes", column("bp", linear(1.8, 32)), "bp",
          NUMBERS),
    # Numbers.
    fault("sentinels", "-999 in 8 % of the rows", "wine", column("malic_acid", put(-999.0, 0.08)),
          "malic_acid",
          NUMBERS),
    fault("sentinels", "0 in 15 % of the rows", "diabetes", column("bmi", put(0.0, 0.15)), "bmi", NUMBERS),
    fault("sentinels", "n/a as a category", "demographics", column("income", put("n/a", 0.06)), "income",
          ("domain", "new values", "values")),
    fault("sentinels", "empty texts in 10 % of the rows", "lines", column("department", put("", 0.1)),
          "department",
          ("domain", "format", "values", "drift", "new values")),
    fault("stuck columns", "one value everywhere", "lines", column("sales_value", lambda s, r: s * 0 + 2.5),
          "sales_value", ("constant", *DRIFT)),
    fault("stuck columns", "from the middle on", "wine", column("color_intensity", stuck), "color_intensity",
          ("values", "drift")),
    fault("stuck columns", "capped at the 90th percentile", "lines", column("sales_value", capped),
          "sales_value",
          ("values", "drift")),
    fault("missing jumps", "a fifth of a column", "cancer",
          column("worst texture", lambda s, r: s.mask(r.random(len(s)) < 0.2)), "worst texture",
          ("missing",)),
    fault("missing jumps", "in one department only", "lines",
          lambda f, r: f.assign(retail_disc=f["retail_disc"].mask(f["department"] == "MEAT")), "retail_disc",
          ("missing",)),
    fault("missing jumps", "a whole column", "demographics", column("age", lambda s, r: s.where(s.isna())),
          "age",
          ("missing", "max_missing", "type")),
    fault("lost precision", "whole numbers", "lines", column("sales_value", lambda s, r: s.round()),
          "sales_value",
          ("precision", "values", "drift", "type")),
    fault("lost precision", "one decimal of four", "cancer", column("mean symmetry", lambda s, r: s.round(1)),
          "mean symmetry", ("precision", "values", "drift")),
    fault("wrong signs", "all of a column", "diabetes", column("s3", lambda s, r: -s), "s3", NUMBERS),
    fault("wrong signs", "a fifth of a column", "lines", column("sales_value", factor(-1, 0.2)),
          "sales_value",
          NUMBERS),
    fault("not finite", "infinite in 1 % of the rows", "cancer", column("area error", put(np.inf, 0.01)),
          "area error", ("invalid", "range", "drift")),
    fault("not finite", "NaN in 5 % of the rows", "lines", column("retail_disc", put(np.nan, 0.05)),
          "retail_disc",
          ("invalid", "missing")),
    fault("extreme outliers", "a millionfold in three rows", "lines",
          column("sales_value", lambda s, r: s.where(~s.index.isin([7, 70, 700]), s * 1e6)), "sales_value",
          ("range", "extremes")),
    fault("broken association", "a shuffled column", "cancer", column("mean perimeter", shuffled),
          "mean perimeter",
          ("association",)),
    fault("broken association", "a column one row too low", "diabetes", column("s4", rolled), "s4",
          ("association",)),
    fault("broken association", "a shuffled code", "lines", column("on_sale", shuffled), "on_sale",
          ("association",)),
    fault("noise", "as much again as a column varies", "cancer", column("mean radius", noisy), "mean radius",
          (*DRIFT, "association", "precision", "range")),
    fault("inverted booleans", "all of them", "lines", column("on_sale", lambda s, r: ~s), "on_sale",
          ("drift", "values", "association")),
    # Categories and texts.
    fault("unseen categories", "in 3 % of the rows", "lines", column("department", put("DRIVE-IN", 0.03)),
          "department", ("domain", "new values", "values")),
    fault("unseen categories", "a class written anew", "demographics",
          column("kids_count", text(lambda t: t.replace("3+", "3"))), "kids_count", ("domain", "new values")),
    fault("vanished categories", "one department", "lines", lambda f, r: f[f["department"] != "PRODUCE"],
          ("department", "product_type", "product_id"), ("drift", "values")),
    fault("case and spaces", "small letters in a tenth", "lines", column("brand", text(str.lower, 0.1)),
          "brand",
          WRITTEN),
    fault("case and spaces", "spaces behind a tenth", "products",
          column("department", text("{}  ".format, 0.1)),
          "department", WRITTEN),
    fault("mojibake", "in 5 % of the texts", "products", column("product_type", text(mojibake, 0.05)),
          "product_type", WRITTEN),
    fault("truncated text", "after eight letters", "products",
          column("product_type", text(lambda t: t[:8])), "product_type", WRITTEN),
    fault("lost leading zeros", "in a column of codes", "lines",
          column("store_code", text(lambda t: t.lstrip("0"))), "store_code", WRITTEN),
    fault("lost leading zeros", "read as numbers", "lines", column("store_code", lambda s, r: s.astype(int)),
          "store_code", ("type",)),
    # Times.
    fault("clock shifts", "nine hours", "lines", column("transaction_timestamp",
          shifted(pd.Timedelta(hours=9))),
          "transaction_timestamp", ("clock", "drift"), TIME),
    fault("clock shifts", "nine hours in 30 % of the rows", "lines",
          column("transaction_timestamp", shifted(pd.Timedelta(hours=9), 0.3)), "transaction_timestamp",
          ("clock",), TIME),
    fault("clock shifts", "a year back", "lines", column("transaction_timestamp",
          shifted(pd.Timedelta(days=-365))),
          "transaction_timestamp", ("late", "drift", "range", "extremes", "gap"), TIME),
    fault("clock shifts", "midnight for the hour", "lines",
          column("transaction_timestamp", lambda s, r: s.dt.normalize()), "transaction_timestamp", ("clock",),
          TIME),
    fault("clock shifts", "days for months", "redemptions", column("redemption_date", day_for_month),
          "redemption_date", ("drift", "gap", "clock", "values", "range", "extremes")),
    fault("sentinels", "1970-01-01 in 2 % of the rows", "lines",
          column("transaction_timestamp", put(pd.Timestamp(0), 0.02)), "transaction_timestamp",
          ("extremes", "range", "values", "drift", "clock"), TIME),
)  # fmt: skip
