"""Characters that look alike: white space, digits, minus signs, full width; as plain ones."""

import re
import unicodedata
from functools import lru_cache

from evergreen.ingest.infer import MARKERS

# Zero width: no joiner among them, for Persian and emoji need those.
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad\u200e\u200f]")
_BLANKS = re.compile(r"[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u0085]+")
_MINUS = re.compile("^[\u2010-\u2015\u2212\ufe63\uff0d](?=\\s*[^\\s\\w]?\\s*[\\d.,])")
_POWERS = {"²": "^2", "³": "^3"}
_FRACTIONS = {"¼": "1/4", "½": "1/2", "¾": "3/4"}

# Beside the markers of ingestion: what spreadsheets, databases and pandas write for "no value".
EMPTY = frozenset(
    {*MARKERS, "n.a.", "n.a", "n/v", "<na>", "<null>", "(null)", "(none)", "(blank)", "\\n", "nat", "void"}
    | {
        "missing",
        "unknown",
        "undefined",
        "not available",
        "not applicable",
        "not known",
        "keine angabe",
        "k.a.",
    }
    | {"#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "#n/v", "---", "–", "—", "...", "…", "??"}
    | {"해당없음", "없음", "미상", "不明", "なし", "无", "無"}
)
# Those that no category is called by: the only ones taken for missing in a column of words.
PLAINLY_EMPTY = frozenset(
    {"", "n/a", "#n/a", "n.a.", "nan", "null", "<na>", "<null>", "(null)", "(blank)", "\\n", "nat", "?", "-"}
    | {"--", "---", "–", "—", ".", "??", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "#n/v"}
)


def listing(text: str) -> list[str]:
    """The words of a text, for tables of words in code."""
    return text.split()


def spaced(text: str) -> str:
    """A text with single blanks between its words and none around it, nothing invisible in it."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    return _BLANKS.sub(" ", _INVISIBLE.sub("", text)).strip()


@lru_cache(maxsize=65_536)
def plain(text: str) -> str:
    """A text as it reads: NFKC, ASCII digits and minus, single blanks; a superscript is no digit of a number.

    A spreadsheet's `="007"` and `'007` are what stands in them.
    """
    if text.isascii():
        word = spaced(text)
    else:
        for sign, written in _POWERS.items():
            text = text.replace(sign, written)
        for sign, written in _FRACTIONS.items():
            text = text.replace(sign, f" {written}" if re.search(rf"\d{sign}", text) else written)
        word = spaced("".join(_character(c) for c in text))
        word = _MINUS.sub("-", word)
    if word.startswith('="') and word.endswith('"') and len(word) > 3:
        return word[2:-1].strip()
    return word[1:] if re.match(r"'[\d+\-.]", word) else word


def _character(character: str) -> str:
    if character.isascii():
        return character
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.digit(character))
    # A superscript or a circled digit beside a number is a footnote, not a digit: it stays and is refused.
    return character if category == "No" else unicodedata.normalize("NFKC", character)


def is_empty(text: str, also: frozenset[str] = frozenset(), *, words: bool = True) -> bool:
    """Whether a text is a spelling of "no value".

    Args:
        text: As it stands.
        also: Further spellings, casefolded and spaced.
        words: Whether all the usual ones count; else only the policy's and a blank.
    """
    word = spaced(text).casefold()
    return not word or word in also or (words and word in EMPTY)
