"""Values written wrongly, which `evergreen repair` must see: numbers, dates, booleans, spellings."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from fault_changes import Plant, column, put, text, written
from fault_gates import repair
from fault_world import TABLES, Fault, generator

from evergreen.findings import Finding

_MIXED = ("%Y-%m-%d", "%d.%m.%Y", "%b %d, %Y", "%Y/%m/%d %H:%M")


def fault(family: str, name: str, table: str, plant: Plant, columns: str, rules: Sequence[str]) -> Fault:
    """Values of one column written otherwise, in a CSV file."""

    def run(folder: Path, seed: int) -> Sequence[Finding]:
        whole = TABLES[table]()
        frame = whole.sample(min(2_000, len(whole)), random_state=1).sort_index().reset_index(drop=True)
        texts = frame.select_dtypes(["string", "object"])
        frame = frame.assign(**{c: frame[c].str.split().str.join(" ") for c in texts})  # two spaces are in it
        return repair(folder, plant(frame, generator(seed)))

    return Fault(name, family, "repair", table, (columns,), tuple(rules), run)


def any_of(*forms: Callable[[float], str]) -> Callable[[pd.Series, np.random.Generator], pd.Series]:
    """Each value in one of several ways of writing."""

    def change(s: pd.Series, r: np.random.Generator) -> pd.Series:
        return pd.Series([forms[k](v) for v, k in zip(s, r.integers(len(forms), size=len(s)), strict=True)])

    return change


def dates(s: pd.Series, r: np.random.Generator) -> pd.Series:
    """Times in four formats."""
    return pd.Series([v.strftime(_MIXED[k]) for v, k in zip(s, r.integers(4, size=len(s)), strict=True)])


def wide(value: str) -> str:
    """Full-width letters, as East Asian keyboards write them."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else "\u00a0" for c in value)


REPAIR = ("repair",)
REPAIRS = (
    fault("dirty numbers", "Zero, 0.0 and 0", "lines",
          column("retail_disc", lambda s, r: any_of("{:.2f}".format,
          lambda v: "Zero" if v == 0 else str(v))(s, r)),
          "retail_disc", REPAIR),
    fault("dirty numbers", "won signs and thousands", "cancer",
          column("mean area", any_of("₩{:,.1f}".format, "{:.1f}".format)), "mean area", REPAIR),
    fault("dirty numbers", "centimetres, millimetres and inches", "iris",
          column("petal length (cm)", any_of("{:.1f} cm".format, lambda v: f"{v * 10:.0f} mm",
          "{:.1f} CM".format)),
          "petal length (cm)", REPAIR),
    fault("dirty numbers", "words among the numbers", "wine", column("proline",
          written(lambda v: "unknown", 0.05)),
          "proline", REPAIR),
    fault("dirty dates", "four formats", "redemptions", column("redemption_date", dates), "redemption_date",
          REPAIR),
    fault("dirty booleans", "yes, Y, TRUE and 1", "lines",
          lambda f, r: f.assign(on_sale=[
              ("yes", "Y", "TRUE", "1")[k] if v else ("no", "N", "FALSE", "0")[k]
              for v, k in zip(f["on_sale"], r.integers(4, size=len(f)), strict=True)]),
          "on_sale", REPAIR),
    fault("case and spaces", "three spellings of a brand", "lines",
          column("brand", lambda s, r: text(str.upper, 0.2)(text("{} ".format, 0.2)(s, r), r)), "brand",
          REPAIR),
    fault("unicode forms", "wide letters and hard spaces", "products",
          column("department", text(wide, 0.2)), "department", ("repaired unicode", "repaired Unicode")),
    fault("missing jumps", "six spellings of nothing", "demographics",
          column("income", lambda s, r: put("N/A", 0.05)(put("-", 0.05)(put("NULL", 0.05)(s, r), r), r)),
          "income", REPAIR),
)  # fmt: skip
