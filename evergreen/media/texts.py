"""One text as a row: encoding and its faults, lengths, language, what it is made of, a signature.

A token is a word or one mark of punctuation; a word is a run of letters and digits (with apostrophes and
hyphens inside), or one ideograph or kana. A language model's own tokenizer counts more, in English about
1.3 for each word. Addresses are counted, never kept.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from ftfy.badness import badness

from evergreen.media.decode import decode
from evergreen.media.limits import Limits, Unusable
from evergreen.media.minhash import minhash

COLUMNS = {
    "encoding": "string", "decode_faults": "int64", "replacement_chars": "int64", "mojibake": "int64",
    "control_chars": "int64", "chars": "int64", "words": "int64", "tokens": "int64", "lines": "int64",
    "sentences": "int64", "words_per_sentence": "double", "language": "string",
    "language_confidence": "double", "non_letter_share": "double", "digit_share": "double",
    "upper_share": "double", "urls": "int64", "emails": "int64", "repeated_line_share": "double",
}  # fmt: skip
"""The columns that only texts have, and their Arrow types."""
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\W_]+(?:['’-][^\W_]+)*")
_PUNCTUATION = re.compile(r"[^\w\s]")
_SENTENCE = re.compile(r"[.!?](?=[\s\"')\]]|$)|[。！？]|\n\s*\n")
_URL = re.compile(r"\b(?:https?://|www\.)[^\s<>\"']+", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_ENOUGH_LETTERS, _SAMPLE = 20, 4_000


def describe_text(data: bytes, name: str, limits: Limits) -> tuple[dict[str, Any], bytes | None]:
    """The row of one text file, and its signature for near duplicates.

    Args:
        data: The file.
        name: Its path; unused, so that images and texts are described alike.
        limits: `encoding` says how to decode it.

    Returns:
        Columns by name (those of `COLUMNS` and `error`; shares of characters without white space), and the
        signature of `minhash`; None for a text too short to compare, or one that is none.
    """
    try:
        found = decode(data, limits.encoding)
    except Unusable as reason:
        return {"error": str(reason)}, None
    row: dict[str, Any] = {"encoding": found.encoding, "decode_faults": found.faults}
    row |= measure(found.text)
    row["replacement_chars"] -= found.faults
    return row, minhash(m.group().lower() for m in _WORD.finditer(found.text))


def measure(text: str) -> dict[str, Any]:
    """The measures of a decoded text."""
    words = sum(1 for _ in _WORD.finditer(text))
    sentences = _sentences(text)
    language, confidence = language_of(text)
    return {
        "replacement_chars": text.count("\ufffd"),
        "mojibake": badness(text),
        "control_chars": len(_CONTROL.findall(text)),
        "chars": len(text),
        "words": words,
        "tokens": words + len(_PUNCTUATION.findall(text)),
        "lines": len(text.splitlines()),
        "sentences": sentences,
        "words_per_sentence": round(words / sentences, 6) if sentences else None,
        "language": language,
        "language_confidence": confidence,
        **_shares(text),
        "urls": len(_URL.findall(text)),
        "emails": len(_EMAIL.findall(text)),
        "repeated_line_share": _repeated(text),
    }


def _sentences(text: str) -> int:
    begin, count = 0, 0
    for place in _ends(text):
        count += _WORD.search(text, begin, place) is not None
        begin = place
    return count


def _ends(text: str) -> Iterator[int]:
    yield from (m.end() for m in _SENTENCE.finditer(text))
    yield len(text)


def _shares(text: str) -> dict[str, float | None]:
    """Shares of the characters that are not white space; upper case of the letters that have a case."""
    shown = len(text) - sum(map(str.isspace, text))
    if not shown:
        return {"non_letter_share": None, "digit_share": None, "upper_share": None}
    letters = sum(map(str.isalpha, text))
    upper, lower = sum(map(str.isupper, text)), sum(map(str.islower, text))
    cased = upper + lower
    return {
        "non_letter_share": round(1 - letters / shown, 6),
        "digit_share": round(sum(map(str.isdigit, text)) / shown, 6),
        "upper_share": round(upper / cased, 6) if cased else None,
    }


def _repeated(text: str) -> float | None:
    """The share of lines, blank ones left out, that stood in the text before."""
    lines = [hash(line) for raw in text.splitlines() if (line := raw.strip())]
    return round(1 - len(set(lines)) / len(lines), 6) if lines else None


def language_of(text: str) -> tuple[str | None, float | None]:
    """The language (ISO 639) of the first 4,000 characters and its probability; None without 20 letters.

    Naive Bayes over byte n-grams (Lui and Baldwin, "langid.py", ACL 2012), 97 languages and more.
    """
    sample = _EMAIL.sub(" ", _URL.sub(" ", text[:_SAMPLE])).strip()
    if sum(map(str.isalpha, sample)) < _ENOUGH_LETTERS:
        return None, None
    language, confidence = _identifier().classify(sample)
    return str(language), round(float(confidence), 4)


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
