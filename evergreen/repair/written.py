"""A number as people write it, taken apart: sign, digits with separators, and what stands beside them."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Literal

from evergreen.repair.characters import listing, plain
from evergreen.repair.outcome import Sign
from evergreen.repair.units import currency_of, unit_of

Tag = Literal["", "currency", "unit", "percent", "scale", "other"]

_PARTS = re.compile(
    r"(?P<pre>[^\d()+\-,]*?)\s*(?P<sign>[+-]?)\s*(?P<pre2>[^\d()+\-.,\s]*?)\s*"
    r"(?P<body>\d(?:[\d.,' ’]*\d)?|(?<![^\W\d_])[.,]\d+)(?P<fraction> ?\d/\d{1,2}|/\d{1,2})?"
    r"(?P<exp>[eE][+-]?\d{1,3}(?!\w))?(?P<post>\D.*)?"
)
_GROUPS = {".": r",|'|’| ", ",": r"\.|'|’| "}
_SCALES = {
    "k": 3,
    "tsd": 3,
    "m": 6,
    "mn": 6,
    "mio": 6,
    "mln": 6,
    "million": 6,
    "b": 9,
    "bn": 9,
    "mrd": 9,
    "billion": 9,
}
_SMALL = listing(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS = listing("twenty thirty forty fifty sixty seventy eighty ninety")
_WORDS = (
    {w: i for i, w in enumerate(_SMALL)} | {w: 20 + 10 * i for i, w in enumerate(_TENS)} | {"a": 1, "nil": 0}
)
_BIG = {"hundred": 100, "thousand": 1000, "million": 1_000_000}


@dataclass(frozen=True, slots=True)
class Written:
    """A number as it is written.

    Attributes:
        negative: Whether it is below zero.
        body: Digits with their separators.
        exponent: Of ten, beside the body: scientific notation.
        tag: What stands beside it.
        name: The currency's code, the unit's name by pint, or the text.
        style: How it is written, in words, where that is not plain.
        fraction: `1/4` of `8 1/4`.
    """

    negative: bool
    body: str
    exponent: int = 0
    tag: Tag = ""
    name: str = ""
    style: tuple[str, ...] = ()
    fraction: str = ""


@lru_cache(maxsize=65_536)
def take_apart(text: str) -> Written | str:
    """A text as a written number, or why it is none."""
    word = plain(text)
    style = [] if word == text.strip(" \t\r\n") else ["characters"]
    inner = re.fullmatch(r"([^\d()\s]*)\s*\(\s*([^()]*\d[^()]*)\)\s*([^\d()]*)", word)
    if inner and not inner[2].lstrip().startswith(("-", "+")):
        word, style = f"{inner[1]} {inner[2]} {inner[3]}".strip(), [*style, "negative in brackets"]
    match = _PARTS.fullmatch(word)
    if match is None:
        return "no number" if not re.search(r"\d", word) else "more than one number, or signs beside it"
    before = f"{match['pre']} {match['pre2']}".strip()
    after = (match["post"] or "").strip()
    negative = match["sign"] == "-" or "negative in brackets" in style
    if after in ("-", "−") and not match["sign"] and not inner:
        negative, after, style = True, "", [*style, "minus at the end"]
    if before in ("-", "+") and not match["sign"]:
        negative, before = before == "-" or negative, ""
    tag, name = _tag(before, "" if after == "." else after)
    body, fraction = _fraction(match["body"], match["fraction"] or "")
    if fraction and body == "0" and tag != "unit":
        tag, name = "other", f"/{fraction.partition('/')[2]}"
    if tag == "other":
        return "text beside the number"
    if match["exp"]:
        style.append("scientific")
    exponent = int(match["exp"][1:]) if match["exp"] else 0
    return Written(negative, body, exponent, tag, name, tuple(style), fraction)


def _fraction(body: str, fraction: str) -> tuple[str, str]:
    """`8 1` and `/4` are 8 and 1/4; `1` and `/3` are 0 and 1/3."""
    if not fraction.startswith("/"):
        return body, fraction.strip()
    whole, _, numerator = body.rpartition(" ")
    return whole or "0", f"{numerator}{fraction}"


def _tag(before: str, after: str) -> tuple[Tag, str]:
    if before and after:
        ours, theirs = currency_of(before), currency_of(after)
        return ("currency", ours) if ours and ours == theirs else ("other", f"{before} … {after}")
    if before:
        code = currency_of(before)
        return ("currency", code) if code else ("other", before)
    if not after:
        return "", ""
    if after in ("%", "pct", "percent", "Prozent"):
        return "percent", "%"
    code = currency_of(after.removesuffix(",-").removesuffix(".-") or after)
    if code:
        return "currency", code
    unit = unit_of(after)
    if unit and after not in ("M",):
        return "unit", unit
    return (
        ("scale", after.casefold().rstrip("."))
        if after.casefold().rstrip(".") in _SCALES
        else ("other", after)
    )


def scaled(name: str) -> int | None:
    """The power of ten that a suffix such as k, M or bn means; None for none."""
    return _SCALES.get(name)


@lru_cache(maxsize=65_536)
def read_body(body: str, decimal: Sign) -> Decimal | None:
    """The digits as a number under a decimal sign; None where its separators do not fit it.

    Thousands are grouped by three, by one sign throughout; after a comma also the Indian way (12,34,567).
    """
    whole, sign, rest = body.partition(decimal)
    if decimal in rest or (sign and not rest.isdigit()):
        return None
    if not (whole == "" and sign) and not whole.isdigit():
        for group in _GROUPS[decimal].split("|"):
            g = group if group.startswith("\\") else re.escape(group)
            indian = rf"|[1-9]\d?({g}\d\d)+{g}\d{{3}}" if group == "," else ""
            if re.fullmatch(rf"[1-9]\d{{0,2}}({g}\d{{3}})+{indian}", whole):
                whole = re.sub(g, "", whole)
                break
        else:
            return None
    try:
        return Decimal(f"{whole or '0'}.{rest or '0'}") if sign else Decimal(whole)
    except InvalidOperation:
        return None


def number_word(text: str) -> int | None:
    """`zero`, `twelve`, `twenty-five`, `one hundred and five` as a number; None for other words."""
    words = [w for w in re.split(r"[\s-]+", plain(text).casefold()) if w != "and"]
    if not words or words == ["a"] or not all(w in _WORDS or w in _BIG for w in words) or words == ["nil"]:
        return None
    total = part = 0
    last = 10**9
    for word in words:
        if word in _BIG:
            size = _BIG[word]
            if size == 100:
                part = (part or 1) * 100
            else:
                total, part = total + (part or 1) * size, 0
            last = 10**9
            continue
        value = _WORDS[word]
        if value >= last or (last < 20 and last != 10**9) or (last % 10 and last != 10**9):
            return None
        if last != 10**9 and not (last >= 20 and 0 < value < 10):
            return None
        part, last = part + value, value
    return total + part
