"""Causes of differing texts: spelling, a cut end, other codes."""

from typing import TYPE_CHECKING

from evergreen.skew.numbers import recoded
from evergreen.skew.values import Cause

if TYPE_CHECKING:
    from evergreen.skew.causes import Differing


def text_causes(differing: "Differing") -> list[Cause]:
    """What turns the training texts into the serving texts, where one thing does."""
    spaces = "regexp_replace(trim(nfc_normalize({0})), '\\s+', ' ', 'g')"
    x, y = spaces.format("x"), spaces.format("y")
    checks = {
        "trim(x) = trim(y)": ("spelling", "spaces around the text"),
        "lower(x) = lower(y)": ("spelling", "upper and lower case"),
        "nfc_normalize(x) = nfc_normalize(y)": ("spelling", "the Unicode form"),
        f"lower({x}) = lower({y})": ("spelling", "case, spaces or the Unicode form"),
        "strip_accents(x) = strip_accents(y)": ("spelling", "accents are lost"),
        "ltrim(x, '0') = ltrim(y, '0')": ("spelling", "leading zeros"),
        "TRY_CAST(x AS DOUBLE) = TRY_CAST(y AS DOUBLE)": ("spelling", "the same number written otherwise"),
        "regexp_replace(lower(strip_accents(x)), '[^a-z0-9]', '', 'g') = "
        "regexp_replace(lower(strip_accents(y)), '[^a-z0-9]', '', 'g') AND length(x) > 1": (
            "spelling",
            "signs between letters",
        ),
        "starts_with(x, y) AND length(y) > 0": ("precision", "serving is cut short"),
    }
    for count, (name, text) in zip(differing.counts(list(checks)), checks.values(), strict=True):
        if found := differing.explained(name, text, count):
            return found
    return recoded(differing)
