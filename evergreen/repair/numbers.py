"""Numbers: what the whole column says about how they are written, and each value read by it."""

import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from evergreen.ingest.infer import spelled
from evergreen.project.model import ColumnType, NumberRepair
from evergreen.repair.outcome import Doubt, Outcome, Sign
from evergreen.repair.units import THREE_DECIMALS, conversion, currency_of, known_unit, same_currency
from evergreen.repair.written import Written, number_word, read_body, scaled, take_apart

_INT64 = 2**63
PLAIN = "[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,3})?"
DOTTED = "[+-]?[1-9][0-9]{0,2}[.][0-9]{3}"


@dataclass
class NumberEvidence:
    """What is counted over a column's values that are no plain numbers, rows each; adds up in any order.

    Attributes:
        plain: Rows with a plain number such as -12.5.
        decimals: Rows with a plain number that has a decimal point, which can be nothing else.
        dotted: Rows with a plain number such as 1.234, which may be a grouped whole one.
        beyond: Rows with a plain number above 1 or below -1.
        proven: By decimal sign: rows that can only be read with it.
        open: Rows that read as two different numbers, such as 1,234.
        open_examples: Some of them.
        currencies: Rows by currency.
        units: Rows by unit.
        percent: Rows with a percent sign.
        read: Rows that are a number in some reading.
    """

    plain: int = 0
    decimals: int = 0
    dotted: int = 0
    beyond: int = 0
    proven: Counter[str] = field(default_factory=Counter)
    open: int = 0
    open_examples: set[str] = field(default_factory=set)
    currencies: Counter[str] = field(default_factory=Counter)
    units: Counter[str] = field(default_factory=Counter)
    percent: int = 0
    read: int = 0

    def add(self, text: str, rows: int) -> None:
        """Count a value that stands in so many rows."""
        parts = take_apart(text)
        if isinstance(parts, str):
            self.read += rows if number_word(text) is not None else 0
            return
        point, comma = read_body(parts.body, "."), read_body(parts.body, ",")
        if point is None and comma is None:
            return
        self.read += rows
        if parts.tag == "currency":
            self.currencies[parts.name] += rows
        elif parts.tag == "unit":
            self.units[parts.name] += rows
        elif parts.tag == "percent":
            self.percent += rows
        if point is None or comma is None:
            self.proven["," if point is None else "."] += rows
        elif point != comma:
            self._open(parts, rows)

    def _open(self, parts: Written, rows: int) -> None:
        if parts.tag == "currency" and parts.name not in THREE_DECIMALS:
            # ISO 4217: no other currency has three decimals, so the sign groups thousands.
            self.proven["," if "." in parts.body else "."] += rows
            return
        self.open += rows
        if len(self.open_examples) < 200:
            self.open_examples.add(parts.body)


@dataclass(frozen=True)
class NumberReader:
    """Reads a column's numbers; see `settle_numbers`.

    Attributes:
        type: number or integer.
        decimal: The sign before the decimals; None when each value must prove its own.
        currency: The column's; None when values with any are refused.
        unit: The column's; None when values with any are refused.
        percent: What `12 %` is.
        scale: Whether `1.2k` is a number.
        strip: Whether units and currencies are forgotten.
        use_words: Whether number words are.
        missing: Spellings of no value, that no number may be read from.
    """

    type: ColumnType
    decimal: Sign | None = "."
    currency: str | None = None
    unit: str | None = None
    percent: Literal["share", "points"] = "share"
    scale: bool = False
    strip: bool = False
    use_words: bool = True
    missing: tuple[str, ...] = ()

    @property
    def words(self) -> bool:
        """Of a column of numbers, the usual spellings of "no value" are no words."""
        return True

    def fast(self, text_sql: str) -> str:
        """SQL for a plain number."""
        whole = self.type == "integer"
        pattern = "[+-]?[0-9]+"
        if not whole and self.decimal != ",":
            pattern = PLAIN
        value = f"TRY_CAST({text_sql} AS {'BIGINT' if whole else 'DOUBLE'})"
        known = f"regexp_full_match({text_sql}, '{pattern}')"
        if self.decimal is None:
            known += f" AND NOT regexp_full_match({text_sql}, '{DOTTED}')"
        if self.missing:
            known += f" AND NOT {spelled(text_sql, self.missing)}"
        return f"CASE WHEN {known} AND isfinite(TRY_CAST({text_sql} AS DOUBLE)) THEN {value} END"

    def read(self, text: str) -> Outcome:
        """A text as a number."""
        parts = take_apart(text)
        if isinstance(parts, str):
            word = number_word(text) if self.use_words else None
            return (
                Outcome(reason=parts) if word is None else self._typed(Decimal(word), ["number word"], None)
            )
        value, rules, reason = self._body(parts)
        if value is None:
            return Outcome(reason=reason)
        value = value.scaleb(parts.exponent)
        if parts.fraction:
            above, below = parts.fraction.split("/")
            if not int(below):
                return Outcome(reason="a fraction over zero")
            value, rules = value + Decimal(above) / Decimal(below), [*rules, "fraction"]
        return self._tagged(-value if parts.negative else value, parts, rules)

    def _body(self, parts: Written) -> tuple[Decimal | None, list[str], str]:
        rules = list(parts.style)
        if self.decimal is None:
            point, comma = read_body(parts.body, "."), read_body(parts.body, ",")
            if point is not None and comma is not None and point != comma:
                return None, rules, "in doubt: thousands or decimals; the policy's `decimal` tells"
            value, sign = (point, ".") if point is not None else (comma, ",")
        else:
            sign, value = self.decimal, read_body(parts.body, self.decimal)
        if value is None:
            return None, rules, f"separators that do not fit a number with decimal sign {sign!r}"
        whole, _, _ = parts.body.partition(sign)
        if not whole.isdigit() and whole:
            rules.append("thousands")
        if sign == "," and "," in parts.body:
            rules.append("decimal comma")
        return value, rules, ""

    def _tagged(self, value: Decimal, parts: Written, rules: list[str]) -> Outcome:
        """The value with what stands beside it taken into account."""
        if parts.tag == "" or (self.strip and parts.tag in ("currency", "unit", "percent")):
            return self._typed(value, rules + ([parts.tag] if parts.tag else []), value)
        if parts.tag == "currency":
            if self.currency is None or not same_currency(parts.name, self.currency):
                return Outcome(reason=f"currency {parts.name} in a column of {self._measure()}")
            return self._typed(value, [*rules, "currency"], value)
        if parts.tag == "percent":
            if self.percent == "points":
                return self._typed(value, [*rules, "percent"], value)
            return self._typed(value / 100, [*rules, "percent"], value / 100)
        if parts.tag == "scale" or (self.scale and parts.name == "meter"):
            power = scaled("m" if parts.name == "meter" else parts.name)
            if not self.scale or power is None:
                return Outcome(reason=f"the suffix {parts.name!r}; the policy's `scale` reads it")
            value = value.scaleb(power)
            return self._typed(value, [*rules, "scale"], value)
        found = conversion(parts.name, self.unit) if self.unit else None
        if found is None:
            return Outcome(reason=f"unit {parts.name} in a column of {self._measure()}")
        if found == (1, 0):
            return self._typed(value, [*rules, "unit"], value)
        factor, offset = found
        exact = Fraction(value) * factor + offset
        converted = Decimal(exact.numerator) / Decimal(exact.denominator)
        return self._typed(converted, [*rules, f"unit {parts.name} to {self.unit}"], converted)

    def _measure(self) -> str:
        return self.currency or self.unit or "numbers"

    def _typed(self, value: Decimal, rules: list[str], face: Decimal | None) -> Outcome:
        number = float(value)
        if number in (float("inf"), float("-inf")):
            return Outcome(reason="a number too large")
        # A plain number that SQL did not take (blanks around it, another decimal sign declared) is no change.
        rule = ", ".join(dict.fromkeys(rules))
        if self.type == "integer":
            if value != value.to_integral_value() or abs(value) >= _INT64:
                return Outcome(reason="no whole number" if abs(value) < _INT64 else "a number too large")
            return Outcome(int(value), rule, "", None if face is None else float(face))
        return Outcome(number, rule, "", None if face is None else float(face))


def settle_numbers(
    given: NumberRepair, type_: ColumnType, evidence: NumberEvidence, missing: tuple[str, ...], where: str
) -> tuple[NumberReader, list[Doubt]]:
    """The reader of a column: what the policy leaves open is decided by the column's evidence, or in doubt.

    Raises:
        ValueError: for a currency or a unit that is none.
    """
    doubts: list[Doubt] = []
    decimal = given.decimal or _decimal(evidence, type_, doubts, where)
    if given.decimal and evidence.proven[_other(given.decimal)] > evidence.proven[given.decimal]:
        against, rows = _other(given.decimal), evidence.proven[_other(given.decimal)]
        reason = (
            f"the policy says decimal {given.decimal!r}, but {rows} rows can only be read with {against!r}"
        )
        doubts.append(Doubt("decimal sign", reason, rows))
    currency = unit = None
    if given.currency:
        currency = currency_of(given.currency) or _unknown(given.currency)
    elif given.unit:
        unit = known_unit(given.unit)
    elif not given.strip:
        currency, unit = _measure(evidence, given.scale, doubts, where)
    percent = given.percent or ("points" if evidence.beyond else "share")
    if evidence.percent and evidence.plain and not given.percent:
        said = "points" if percent == "points" else "shares of 1"
        reason = f"percent signs beside plain numbers, taken as {said}; `{where}.number.percent` tells"
        doubts.append(Doubt("percent", reason, evidence.percent, severe=False))
    reader = NumberReader(
        type_, decimal, currency, unit, percent, given.scale, given.strip, given.words, missing
    )  # fmt: skip
    return reader, doubts


def _other(sign: str) -> str:
    return "," if sign == "." else "."


def _unknown(currency: str) -> str:
    raise ValueError(f"{currency!r} is no currency")


def _decimal(evidence: NumberEvidence, type_: ColumnType, doubts: list[Doubt], where: str) -> Sign | None:
    """The column's decimal sign: proven by some value, or by what its plain numbers look like."""
    point, comma = evidence.proven["."] + evidence.decimals, evidence.proven[","]
    open_, examples = evidence.open + evidence.dotted, tuple(sorted(evidence.open_examples)[:3])
    remedy = f"Say `{where}.number.decimal`."
    if point and comma:
        if open_:
            reason = f"{open_} rows could be two numbers, and the column uses both decimal signs. {remedy}"
            doubts.append(Doubt("decimal sign", reason, open_, examples=examples))
        return None
    if point or comma or not open_:
        return "," if comma else "."
    dots, commas = any("." in e for e in examples) or evidence.dotted, any("," in e for e in examples)
    if type_ == "integer" and not (dots and commas):
        return "," if dots else "."
    if dots and commas:
        doubts.append(
            Doubt("decimal sign", f"{open_} rows could be two numbers. {remedy}", open_, True, examples)
        )
        return None
    if dots:
        reason = f"{open_} rows such as 1.234 were read as numbers with decimals; could be grouped. {remedy}"
        doubts.append(Doubt("decimal sign", reason, open_, severe=False))
        return "."
    if evidence.plain:
        # Whole numbers without a sign beside 1,234: with a decimal comma they would be written 5,000.
        return "."
    shape = re.sub(r"\d", "9", examples[0])
    reason = f"{open_} rows are written like {shape}: it could be grouped, or have decimals. {remedy}"
    doubts.append(Doubt("decimal sign", reason, open_, examples=examples))
    return None


def _measure(
    evidence: NumberEvidence, scale: bool, doubts: list[Doubt], where: str
) -> tuple[str | None, str | None]:
    """The only currency or unit of the column; none when there are several kinds."""
    units = Counter({u: n for u, n in evidence.units.items() if not (scale and u == "meter")})
    found = [*evidence.currencies, *units]
    if len(found) <= 1:
        return next(iter(evidence.currencies), None), next(iter(units), None)
    rows = sum(evidence.currencies.values()) + sum(units.values())
    names = ", ".join(sorted(found)[:6])
    remedy = f"Say `{where}.number.unit` or `.currency`; `.strip: true` takes the numbers alone."
    doubts.append(Doubt("units", f"{rows} rows name several units or currencies: {names}. {remedy}", rows))
    return None, None
