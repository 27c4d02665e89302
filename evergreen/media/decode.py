"""The encoding of a text file, found by its bytes."""

import codecs
from dataclasses import dataclass

from evergreen.media.limits import Unusable

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%PDF-", b"PK\x03\x04", b"\x1f\x8b", b"PAR1", b"\x7fELF")


@dataclass(frozen=True)
class Decoded:
    """A text with the encoding that it was read in, and how many places of it could not be decoded."""

    text: str
    encoding: str
    faults: int = 0


def decode(data: bytes, encoding: str | None = None) -> Decoded:
    """Decode a text file; never fails on its bytes, faults are counted and replaced by U+FFFD.

    Without `encoding`: a byte order mark says it; else UTF-8 where it fits; else UTF-16 where zero bytes
    stand on one side only; else UTF-8 with faults where at least 9 of 10 sequences above ASCII fit; else
    Windows-1252, which is what old Western files are. Other old encodings cannot be told from it by their
    bytes alone: name them.

    Raises:
        Unusable: for an empty or a binary file, or an unknown encoding.
    """
    if not data:
        raise Unusable("empty: 0 bytes")
    if encoding is not None:
        try:
            return _lenient(data, codecs.lookup(encoding).name)
        except LookupError:
            raise Unusable(f"unknown encoding {encoding!r}") from None
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _lenient(data, name)
    if data.startswith(_BINARY):
        raise Unusable("binary: not a text")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if text and data.count(0) * 1000 <= len(data):
        return Decoded(text, "ascii" if text.isascii() else "utf-8")
    return _guessed(data)


def _lenient(data: bytes, name: str) -> Decoded:
    text = data.decode(name, errors="replace")
    return Decoded(text, name.removesuffix("-sig"), _introduced(text, data, name))


def _introduced(text: str, data: bytes, name: str) -> int:
    """The replacement characters that decoding put in, those that stood in the file not counted."""
    own = len(data.decode(name, errors="ignore").split("\ufffd")) - 1
    return text.count("\ufffd") - own


def _guessed(data: bytes) -> Decoded:
    if data.count(0) * 1000 > len(data):
        return _wide(data)
    if _control(data) > 0.1:
        raise Unusable("binary: not a text")
    lenient = _lenient(data, "utf-8")
    beyond = sum(1 for c in lenient.text if c > "\x7f" and c != "\ufffd")
    if beyond >= 9 * lenient.faults:
        return lenient
    return _lenient(data, "cp1252")


def _wide(data: bytes) -> Decoded:
    """UTF-16 without a mark: the zero bytes of its spaces, digits and Latin letters are all on one side."""
    even, odd = data[0::2].count(0), data[1::2].count(0)
    found = _lenient(data, "utf-16-le" if odd > even else "utf-16-be")
    plain = sum(1 for c in found.text if c.isalnum() or c.isspace() or " " < c < "\x7f")
    if min(even, odd) > max(even, odd) / 4 or plain < 0.9 * len(found.text):
        raise Unusable("binary: not a text")
    return found


def _control(data: bytes) -> float:
    """The share of control characters other than tabs, line breaks and escapes."""
    kept = data.translate(None, bytes(range(9)) + bytes(range(14, 27)) + bytes(range(28, 32)))
    return 1 - len(kept) / len(data)
