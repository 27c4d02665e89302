"""Texts and booleans: white space, case and Unicode form made one; yes and no in many words."""

import unicodedata
from dataclasses import dataclass

from evergreen.project.model import BooleanRepair, ColumnType, TextRepair
from evergreen.repair.characters import listing, plain, spaced
from evergreen.repair.outcome import Outcome

TRUE = frozenset(
    listing("true t yes y 1 1.0 on ja j oui si sí sim s wahr vrai verdadero да はい 예 네 是 ✓ ✔ x")
) - {"x", "s"}
FALSE = frozenset(
    listing("false f no n 0 0.0 off nein non não nao falsch faux falso нет いいえ 아니오 아니요 否 ✗ ✘")
)


@dataclass(frozen=True)
class BooleanReader:
    """Reads yes and no."""

    true: frozenset[str] = TRUE
    false: frozenset[str] = FALSE

    @property
    def type(self) -> ColumnType:
        """It makes booleans."""
        return "boolean"

    @property
    def words(self) -> bool:
        """The usual spellings of "no value" are neither yes nor no."""
        return True

    def fast(self, text_sql: str) -> str:
        """SQL for `true` and `false`."""
        return f"CASE {text_sql} WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END"

    def read(self, text: str) -> Outcome:
        """A word as true or false."""
        word = plain(text).casefold()
        if word in self.true or word in self.false:
            value = word in self.true
            return Outcome(value, "" if text in ("true", "false") else "boolean word", "", float(value))
        return Outcome(reason="neither true nor false")


def boolean_reader(given: BooleanRepair) -> BooleanReader:
    """The reader with a policy's own words."""
    true = frozenset(plain(w).casefold() for w in given.true_words)
    false = frozenset(plain(w).casefold() for w in given.false_words)
    return BooleanReader((TRUE - false) | true, (FALSE - true) | false)


@dataclass(frozen=True)
class TextReader:
    """Makes texts that read the same the same.

    Attributes:
        type: text or category.
        given: What is made one; None leaves a text as it is.
    """

    type: ColumnType
    given: TextRepair | None = None

    @property
    def words(self) -> bool:
        """In a column of words "NA" may be a word."""
        return False

    def fast(self, text_sql: str) -> str:
        """No text is known to be as it should without a look."""
        return ""

    def read(self, text: str) -> Outcome:
        """A text in its one form; `face` is that form too, for nothing was interpreted."""
        done = tidied(text, self.given) if self.given else text
        return Outcome(done, _rule(text, done, self.given), "", done)


def tidied(text: str, given: TextRepair) -> str:
    """A text with a policy applied until nothing changes: one step may undo another."""
    for _ in range(4):
        before = text
        text = unicodedata.normalize(given.form, text)
        if given.spaces:
            text = spaced(text)
        if given.case == "lower":
            text = text.lower()
        elif given.case == "upper":
            text = text.upper()
        elif given.case == "title":
            text = _title(text)
        if text == before:
            break
    return text


def _title(text: str) -> str:
    """A capital at each word's start; an apostrophe does not end a word, as `str.title` has it."""
    return " ".join(word[:1].upper() + word[1:].lower() for word in text.split(" "))


def _rule(before: str, after: str, given: TextRepair | None) -> str:
    if before == after or given is None:
        return ""
    rules = []
    if given.spaces and spaced(before) != before:
        rules.append("white space")
    if unicodedata.normalize(given.form, before) != before:
        rules.append("Unicode form")
    if given.case != "keep" and spaced(unicodedata.normalize(given.form, before)) != after:
        rules.append("case")
    return ", ".join(rules) or "text form"
