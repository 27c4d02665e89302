"""How values read in a report: few digits, thousands apart, nothing that is not a number shown as one."""

import math
from collections.abc import Mapping
from numbers import Integral, Real

MISSING = "–"


def number(value: object) -> str:
    """A number in at most four significant digits (whole numbers in full); None and NaN are a dash.

    Text passes through, so that a table may mix both.
    """
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{int(value):,}"
    if isinstance(value, Real):
        return _real(float(value))
    return str(value)


def _real(value: float) -> str:
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e9 or size < 1e-4:
        text = f"{value:.3g}"
    elif size >= 1000:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.{max(0, 3 - math.floor(math.log10(size)))}f}" if size >= 1 else f"{value:.4f}"
        text = text.rstrip("0").rstrip(".") if size >= 1 and value == int(value) else text
    return text.replace("-", "−")


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 1 as a percentage: 0.1234 is `12.3 %`."""
    if share is None or math.isnan(share):
        return MISSING
    return f"{share * 100:.{digits}f} %".replace("-", "−")


def seconds(value: float | None) -> str:
    """A span of time: `4.2 ms`, `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if value is None or math.isnan(value):
        return MISSING
    if 0 < value < 0.1:
        return f"{1000 * value:.2g} ms"
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: int | float | None) -> str:
    """A number of bytes: `812 B`, `3.4 MiB`."""
    if count is None:
        return MISSING
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def interval(low: float | None, high: float | None) -> str:
    """A confidence interval: `0.7412 to 0.7733`; empty when there is none."""
    return "" if low is None or high is None else f"{number(low)} to {number(high)}"


def shortened(words: str, width: int) -> str:
    """Words that take at most `width` characters: what is longer ends in `…`."""
    return words if len(words) <= width else words[: width - 1] + "…"


def metric_name(name: str) -> str:
    """A metric's name as people write it: `roc_auc` is `ROC AUC`."""
    return _METRIC_NAMES.get(name, name.replace("_", " "))


_METRIC_NAMES: Mapping[str, str] = {
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
    "calibration_error": "Calibration error",
    "rmse": "RMSE",
    "mae": "MAE",
    "median_absolute_error": "Median absolute error",
    "r2": "R²",
    "mape": "MAPE",
    "ndcg": "NDCG",
}
