"""A schema's YAML text, checked field by field; every fault is told with its line."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from evergreen.errors import Problem, ProjectError
from evergreen.profile.schema.model import (
    ENVIRONMENTS,
    TOLERANCE,
    TYPES,
    ColumnSchema,
    Revision,
    Schema,
)
from evergreen.project.document import Document, read_document
from evergreen.project.wording import Path, did_you_mean, listed, shown

_TOP = ("version", "tolerance", "rows", "key", "columns", "history")
_REVISION = ("version", "command", "changes", "at", "by")
_FIELDS = (
    "type", "required", "max_missing", "max_invalid", "domain", "min", "max", "tolerance", "unique",
    "environments",
)  # fmt: skip


def parse(text: str, where: str) -> Schema:
    """Read a schema; see `Schema.from_yaml`.

    Raises:
        ProjectError: with every fault.
    """
    if not text.strip():
        raise ProjectError(where, [Problem(1, "(file)", "an empty file", "a schema with `columns`")])
    document = read_document(text, where)
    checker = _Checker(document)
    checker.known((), _TOP)
    columns = document.data.get("columns")
    if not isinstance(columns, dict):
        checker.wrong(("columns",), "a mapping of column names to their fields")
        columns = {}
    read = tuple(checker.column(name) for name in columns)
    key = checker.key(set(columns))
    tolerance = checker.share(("tolerance",), TOLERANCE)
    version = checker.value(("version",), 1, _is_version, "a whole number, at least 1")
    rows = checker.value(("rows",), 0, _is_count, "a whole number, at least 0")
    history = checker.history()
    document.stop_if_wrong()
    return Schema(read, key, tolerance, version, rows, history)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_version(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool)


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


class _Checker:
    """Reads fields of a document; what is wrong is recorded, and a default goes on in its place."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def wrong(self, path: Path, expected: str, suggestion: str = "") -> None:
        self._document.add(path, shown(self._at(path)), expected, suggestion)

    def _at(self, path: Path) -> Any:
        here = self._document.data
        for part in path:
            try:
                here = here[part]
            except (KeyError, IndexError, TypeError):
                return None
        return here

    def known(self, path: Path, fields: tuple[str, ...]) -> None:
        """Record fields that are not known."""
        for name in self._at(path):
            if name not in fields:
                expected = "one of " + listed(list(fields))
                self._document.add((*path, name), "unknown field", expected, did_you_mean(name, fields))

    def value(self, path: Path, default: Any, accepts: Callable[[object], bool], expected: str) -> Any:
        """The value at a path; absent gives the default."""
        value = self._at(path)
        if path[-1] not in (self._at(path[:-1]) or {}):
            return default
        if accepts(value):
            return value
        self.wrong(path, expected)
        return default

    def share(self, path: Path, default: float | None) -> Any:
        """A number from 0 to 1."""
        return self.value(path, default, _is_share, "a share from 0 to 1")

    def texts(self, path: Path, allowed: set[str] | tuple[str, ...], what: str) -> tuple[str, ...]:
        """A list of words out of `allowed`; one word may stand alone."""
        value = self._at(path)
        if value is None:
            return ()
        words = value if isinstance(value, list) else [value]
        for word in words:
            if word not in allowed:
                place = path if not isinstance(value, list) else (*path, words.index(word))
                expected = f"{what}: {listed(sorted(allowed))}"
                self._document.add(place, shown(word), expected, did_you_mean(word, allowed))
        return tuple(str(w) for w in words)

    def key(self, names: set[str]) -> tuple[str, ...]:
        """The columns that are unique together."""
        return self.texts(("key",), names, "names of columns")

    def history(self) -> tuple[Revision, ...]:
        """The revisions."""
        past = self._document.data.get("history") or []
        if not isinstance(past, list) or not all(isinstance(r, dict) for r in past):
            self.wrong(("history",), "a list of revisions")
            return ()
        for index in range(len(past)):
            self.known(("history", index), _REVISION)
        return tuple(
            Revision(
                r.get("version", 0),
                str(r.get("command", "")),
                tuple(map(str, r.get("changes") or ())),
                str(r.get("at", "")),
                str(r.get("by", "")),
            )
            for r in past
        )

    def column(self, name: str) -> ColumnSchema:
        """One column."""
        path: Path = ("columns", name)
        if not isinstance(self._at(path), dict):
            self.wrong(path, "a mapping with `type`")
            return ColumnSchema(name, "text")
        self.known(path, _FIELDS)
        kind = self._at((*path, "type"))
        if kind not in TYPES:
            self.wrong((*path, "type"), "one of " + listed(list(TYPES)), did_you_mean(kind, TYPES))
            kind = "text"
        low, high = self._bound(path, "min", kind), self._bound(path, "max", kind)
        if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            self.wrong((*path, "min"), f"at most `max`, {high}")
        return ColumnSchema(
            name=name,
            type=kind,
            required=self.value((*path, "required"), True, _is_boolean, "true or false"),
            max_missing=float(self.share((*path, "max_missing"), 1.0)),
            max_invalid=float(self.share((*path, "max_invalid"), 1.0)),
            domain=self._domain(path, kind),
            minimum=low,
            maximum=high,
            tolerance=self.share((*path, "tolerance"), None),
            unique=self.value((*path, "unique"), False, _is_boolean, "true or false"),
            environments=self.texts((*path, "environments"), ENVIRONMENTS, "where the column is"),
        )

    def _bound(self, path: Path, name: str, kind: str) -> int | float | str | None:
        place = (*path, name)
        if kind in ("integer", "number"):
            return self.value(place, None, _is_number, "a number")
        if kind in ("timestamp", "date"):
            return self.value(place, None, _is_time, "a time such as '2026-01-31' in quotes")
        if name in self._at(path):
            self.wrong(place, f"nothing: `{name}` is for numbers and times, not for type {kind}")
        return None

    def _domain(self, path: Path, kind: str) -> tuple[Any, ...] | None:
        place = (*path, "domain")
        value = self._at(place)
        if value is None:
            return None
        if kind in ("timestamp", "date", "nested", "any"):
            self.wrong(place, f"nothing: `domain` is not for type {kind}")
            return None
        accepts: Callable[[object], bool] = {
            "integer": _is_number, "number": _is_number, "boolean": _is_boolean,
        }.get(kind, lambda v: isinstance(v, str))  # fmt: skip
        if not isinstance(value, list) or not value:
            self.wrong(place, "a list of the values allowed")
            return None
        words = {"integer": "a number", "number": "a number", "boolean": "true or false"}
        for index, item in enumerate(value):
            if not accepts(item):
                suggestion = f"Write it in quotes: '{item}'." if kind in ("category", "text") else ""
                self.wrong((*place, index), words.get(kind, "text"), suggestion)
        return tuple(value)
