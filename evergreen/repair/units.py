"""Units and currencies: what a sign beside a number means, and the factor between two units (by pint)."""

from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

from evergreen.repair.characters import listing

# Spellings, lower case, to pint's name. Letters that mean too much (m for million, t, h alone) are as in SI.
_SPELLINGS = {
    "millimeter": "mm millimeter millimetre millimeters",
    "centimeter": "cm cms centimeter centimetre centimeters",
    "meter": "m meter metre meters metres",
    "kilometer": "km kms kilometer kilometre kilometers",
    "inch": "in inch inches in. \" ″ ''",
    "foot": "ft foot feet ′",
    "yard": "yd yds yard yards",
    "mile": "mi mile miles",
    "milligram": "mg mgs milligram milligrams",
    "gram": "g gr gm gms gram grams grm",
    "kilogram": "kg kgs kilo kilos kilogram kilograms",
    "tonne": "t tonne tonnes",
    "pound": "lb lbs pound pounds #",
    "ounce": "oz ozs onz ounce ounces",
    "milliliter": "ml mls milliliter millilitre cc",
    "centiliter": "cl centiliter centilitre",
    "liter": "l lt ltr ltrs liter litre liters litres",
    "gallon": "gal gals ga gallon gallons",
    "quart": "qt qts quart quarts",
    "pint": "pt pts pint pints",
    "fluid_ounce": "floz fz",
    "count": "ct cnt count pc pcs pk pack packs piece pieces ea each stk",
    "millisecond": "ms msec",
    "second": "s sec secs second seconds",
    "minute": "min mins minute minutes",
    "hour": "h hr hrs hour hours",
    "day": "d day days",
    "week": "wk wks week weeks",
    "degree_Celsius": "°c degc celsius",
    "degree_Fahrenheit": "°f degf fahrenheit",
    "watt_hour": "wh",
    "kilowatt_hour": "kwh",
    "watt": "w watt watts",
    "kilowatt": "kw",
    "volt": "v volt volts",
    "hertz": "hz",
    "megahertz": "mhz",
    "gigahertz": "ghz",
    "kilobyte": "kb",
    "megabyte": "mb",
    "gigabyte": "gb",
    "terabyte": "tb",
    "kilometer / hour": "km/h kmh kph",
    "mile / hour": "mph",
    "meter / second": "m/s",
    "foot ** 2": "sqft sf ft^2 ft2",
    "meter ** 2": "sqm m^2 m2 qm",
    "centimeter ** 2": "cm^2 cm2",
    "meter ** 3": "m^3 m3",
    "foot ** 3": "cuft ft^3 ft3",
}  # fmt: skip
_UNITS = {word: unit for unit, words in _SPELLINGS.items() for word in words.split()}
_UNITS |= {
    "fl oz": "fluid_ounce",
    "fl. oz": "fluid_ounce",
    "fl. oz.": "fluid_ounce",
    "fluid oz": "fluid_ounce",
}
_UNITS |= {"sq ft": "foot ** 2", "sq. ft": "foot ** 2", "sq. ft.": "foot ** 2", "sq m": "meter ** 2"}
_UNITS |= {
    "cu ft": "foot ** 3",
    "° c": "degree_Celsius",
    "° f": "degree_Fahrenheit",
    "deg c": "degree_Celsius",
}

_SIGNS = {
    "$": "USD", "us$": "USD", "us dollar": "USD", "dollars": "USD", "dollar": "USD",
    "€": "EUR", "euro": "EUR", "euros": "EUR", "£": "GBP", "¥": "JPY", "円": "JPY", "yen": "JPY",
    "元": "CNY", "rmb": "CNY", "₩": "KRW", "원": "KRW", "won": "KRW", "₹": "INR", "rs": "INR", "rs.": "INR",
    "₽": "RUB", "руб": "RUB", "руб.": "RUB", "₺": "TRY", "₫": "VND", "đ": "VND", "฿": "THB", "₪": "ILS",
    "₴": "UAH",
    "₱": "PHP", "₦": "NGN", "zł": "PLN", "zl": "PLN", "kč": "CZK", "ft.": "HUF", "r$": "BRL", "c$": "CAD",
    "ca$": "CAD", "a$": "AUD", "au$": "AUD", "nt$": "TWD", "hk$": "HKD", "s$": "SGD", "kr": "kr", "kr.": "kr",
    "fr.": "CHF", "sfr.": "CHF",
}  # fmt: skip
# ISO 4217, the codes that are traded; those with three decimals apart.
_CODES = frozenset(
    listing(
        "USD EUR GBP JPY CNY KRW INR RUB TRY VND THB ILS UAH PHP NGN PLN CZK HUF BRL CAD AUD NZD TWD HKD "
        "SGD CHF SEK NOK DKK MXN ZAR IDR MYR AED SAR EGP ARS CLP COP PEN RON BGN KZT PKR BDT LKR KES GHS "
        "MAD"
    )
)
THREE_DECIMALS = frozenset({"KWD", "BHD", "OMR", "JOD", "TND", "IQD", "LYD"})
# Signs that several currencies share: a column of the other one may be written with it.
_SHARED = {"JPY": {"CNY"}, "USD": {"CAD", "AUD", "NZD", "TWD", "HKD", "SGD", "MXN", "ARS", "CLP", "COP"}}


@lru_cache(maxsize=4096)
def currency_of(text: str) -> str:
    """The ISO 4217 code that a sign or a code means; empty for something else."""
    word = text.strip().casefold()
    upper = word.upper()
    return _SIGNS.get(word, upper if upper in _CODES | THREE_DECIMALS else "")


def same_currency(written: str, column: str) -> bool:
    """Whether a value's currency can be the column's, whose sign it may share."""
    return written == column or column in _SHARED.get(written, ())


@lru_cache(maxsize=4096)
def unit_of(text: str) -> str:
    """Pint's name of a unit as people write it, in any case; empty for something else."""
    word = " ".join(text.strip().casefold().split())
    return _UNITS.get(word) or _UNITS.get(word.rstrip("."), "")


@cache
def _registry() -> Any:
    import pint

    return pint.UnitRegistry(non_int_type=Fraction, cache_folder=None)


@lru_cache(maxsize=1024)
def known_unit(text: str) -> str:
    """Pint's name of a unit that a person put into a policy: one of ours, or any that pint knows.

    Raises:
        ValueError: when it is none.
    """
    ours = unit_of(text)
    if ours:
        return ours
    import pint

    try:
        return str(_registry().parse_units(text))
    except (pint.errors.PintError, ValueError, TypeError, AttributeError, SyntaxError) as error:
        raise ValueError(f"{text!r} is no unit") from error


@lru_cache(maxsize=4096)
def conversion(unit: str, target: str) -> tuple[Fraction, Fraction] | None:
    """Factor and offset, exact, that turn a number in `unit` into one in `target`; None: other dimensions."""
    if unit == target:
        return Fraction(1), Fraction(0)
    if "count" in (unit, target):
        return None
    registry = _registry()
    ours, theirs = registry.Unit(unit), registry.Unit(target)
    if ours.dimensionality != theirs.dimensionality:
        return None
    zero, one = (Fraction(registry.Quantity(Fraction(n), ours).to(theirs).magnitude) for n in (0, 1))
    return one - zero, zero


def dimension(unit: str) -> str:
    """What kind of thing a unit measures, such as `[length]^1`."""
    if unit == "count":
        return "[count]"
    return " ".join(
        f"{name}^{power}" for name, power in sorted(_registry().Unit(unit).dimensionality.items())
    )
