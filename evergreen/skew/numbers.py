"""Causes of differing numbers: a unit, an offset, both, a precision, an inverted or recoded value."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from evergreen.skew.values import Cause

if TYPE_CHECKING:
    from evergreen.skew.causes import Differing

# Factors between units and between ways to write a share, named where they are met within a thousandth.
_UNITS: Mapping[float, str] = {
    100.0: "such as cents for euros, or a percentage for a share",
    1000.0: "such as grams for kilograms, or milliseconds for seconds",
    1e6: "such as microseconds for seconds",
    10.0: "such as millimetres for centimetres",
    60.0: "such as seconds for minutes",
    3600.0: "such as seconds for hours",
    24.0: "such as hours for days",
    86400.0: "such as seconds for days",
    7.0: "such as days for weeks",
    12.0: "such as months for years",
    2.54: "such as centimetres for inches",
    0.3048: "such as metres for feet",
    1.609344: "such as kilometres for miles",
    0.45359237: "such as kilograms for pounds",
    28.349523125: "such as grams for ounces",
    1024.0: "such as bytes for KiB",
    1048576.0: "such as bytes for MiB",
    -1.0: "the sign is turned",
}
_NEAR = 1e-3
_DIGITS = range(7)


def number_causes(differing: "Differing") -> list[Cause]:
    """What turns the training numbers into the serving numbers, where one thing does."""
    con, rows = differing.con, f"({differing.rows})"
    summary = con.execute(
        "SELECT count(DISTINCT x), median(y / nullif(x, 0)), median(y - x), "
        "regr_slope(y, x), regr_intercept(y, x), count(*) FILTER (x <> 0), "
        "count(DISTINCT y) FROM (SELECT CAST(x AS DOUBLE) AS x, CAST(y AS DOUBLE) AS y "
        f"FROM {rows} WHERE isfinite(CAST(x AS DOUBLE)) AND isfinite(CAST(y AS DOUBLE)))"
    ).fetchall()[0]
    distinct, ratio, offset, slope, intercept = summary[:5]
    causes = _precision(differing)
    if differing.feature.family == "boolean":
        return causes + differing.explained(
            "recoded", "serving has the inverse", differing.counts(["y = 1 - x"])[0]
        )
    if distinct >= 3:
        causes += _factor(differing, ratio) + _offset(differing, offset)
        if not causes and slope is not None and intercept is not None:
            causes += _linear(differing, slope, intercept)
    elif ratio is not None and _known(ratio):
        causes += _factor(differing, ratio)
    return causes or _recoded(differing)


def _known(ratio: float) -> str:
    for factor, words in _UNITS.items():
        if abs(ratio / factor - 1) < _NEAR:
            return f"× {factor:g}, {words}"
        if abs(ratio * factor - 1) < _NEAR:
            return f"÷ {factor:g}, the inverse of the factor {words}"
    return ""


def _factor(differing: "Differing", ratio: float | None) -> list[Cause]:
    if ratio is None or ratio == 0 or abs(ratio - 1) < 5 * _NEAR:
        return []
    rows = differing.counts([f"abs(y - {ratio!r} * x) <= {_NEAR} * abs(y)"])[0]
    words = _known(ratio) or f"× {ratio:.6g}"
    return differing.explained("unit", f"serving is training {words}", rows)


def _offset(differing: "Differing", offset: float | None) -> list[Cause]:
    if not offset:
        return []
    near = f"1e-6 * greatest(abs(x), abs(y), {abs(offset)!r}) + 1e-9"
    slack = f"least({near}, {abs(offset) * 0.01!r})"
    rows = differing.counts([f"abs(y - x - {offset!r}) <= {slack}"])[0]
    sign = "+" if offset > 0 else "−"
    return differing.explained(
        "offset", f"serving is training {sign} {abs(offset):.6g}{_clock(offset)}", rows
    )


def _clock(offset: float) -> str:
    """A shift of the clock by whole hours, in a feature that counts days (an age) or seconds."""
    hours = offset * 24
    if abs(offset) < 1 and abs(hours - round(hours)) < 1e-6 and round(hours):
        return f" (in days: a clock shifted by {abs(round(hours))} h)"
    if offset % 3600 == 0 and abs(offset) <= 14 * 3600:
        return f" (in seconds: a clock shifted by {abs(int(offset // 3600))} h)"
    return ""


def _linear(differing: "Differing", slope: float, intercept: float) -> list[Cause]:
    if abs(slope) < 1e-9:
        return []
    near = f"{_NEAR} * greatest(abs(y), {abs(intercept)!r}) + 1e-9"
    rows = differing.counts([f"abs(y - {slope!r} * x - {intercept!r}) <= {near}"])[0]
    known = ""
    if abs(slope - 1.8) < 0.01 and abs(intercept - 32) < 1:
        known = " (Fahrenheit for Celsius)"
    elif abs(intercept - 273.15) < 0.5 and abs(slope - 1) < 0.01:
        known = " (Kelvin for Celsius)"
    text = f"serving is {slope:.6g} × training {'+' if intercept >= 0 else '−'} {abs(intercept):.6g}{known}"
    return differing.explained("linear", text, rows)


def _precision(differing: "Differing") -> list[Cause]:
    """Rounded or cut after some digits, or kept in fewer bits."""
    conditions, words = [], []
    for digits in _DIGITS:
        conditions.append(f"abs(y - round(CAST(x AS DOUBLE), {digits})) <= 1e-9 * greatest(1, abs(y))")
        words.append(f"serving is rounded to {_digits(digits)} after the point")
        conditions.append(
            f"abs(y - trunc(CAST(x AS DOUBLE) * 1e{digits}) / 1e{digits}) <= 1e-9 * greatest(1, abs(y))"
        )
        words.append(f"serving is cut to {_digits(digits)} after the point")
    for power in (1, 2, 3):
        conditions.append(f"y = round(CAST(x AS DOUBLE) / 1e{power}) * 1e{power} AND y <> 0")
        words.append(f"serving is rounded to multiples of {10**power}")
    conditions.append("abs(y - x) <= 0.005 * abs(x)")
    words.append("serving is less precise (half precision or a lossy format)")
    for count, text in zip(differing.counts(conditions), words, strict=True):
        if found := differing.explained("precision", text, count):
            return found
    return []


def _digits(count: int) -> str:
    return f"{count} digit{'' if count == 1 else 's'}"


def _recoded(differing: "Differing") -> list[Cause]:
    """Every training value has one serving value of its own."""
    if differing.count < 20:
        return []
    couples = f"SELECT x, y, count(*) AS n FROM ({differing.rows}) GROUP BY x, y"
    row = differing.con.execute(
        f"SELECT count(DISTINCT x), count(*), sum(n), count(DISTINCT y) FROM ({couples})"
    ).fetchall()[0]
    values, pairs, rows, answers = (int(v or 0) for v in row)
    if values != pairs or answers != pairs or values < 2 or rows < 5 * values:
        return []
    return [Cause("recoded", f"serving has other codes for {values} values, one for each", rows)]


recoded = _recoded
