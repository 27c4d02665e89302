"""Pydantic's errors in plain words, at the lines of the project file."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from evergreen.project.describe import (
    annotation_at,
    describe,
    enumerated,
    field_names,
    has,
    model_of,
    takes_text,
)
from evergreen.project.document import Document
from evergreen.project.model import Project, Refused
from evergreen.project.wording import Path, did_you_mean, dotted, listed, shown


@dataclass(frozen=True)
class _Placed:
    """One pydantic error, its path in the file, and the union that it stands in: where and which branch."""

    path: Path
    kind: str
    error: ErrorDetails
    point: int | None
    branch: str
    is_key: bool


def explain(error: ValidationError, document: Document) -> None:
    """Record each error of a validation as a problem of the document."""
    placed = [_place(e, document.data) for e in error.errors(include_url=False)]
    for one in _chosen(placed):
        _record(one, document)


def _place(error: ErrorDetails, data: Any) -> _Placed:
    path: list[str | int] = []
    point, branch, is_key = None, "", False
    here = data
    for index, part in enumerate(error["loc"]):
        final = index == len(error["loc"]) - 1
        if has(here, part):
            here = here[part]
            path.append(part)
        elif part == "[key]":
            is_key = True
        elif final and error["type"] == "missing":
            path.append(part)
        elif point is None:
            point, branch = len(path), str(part)
    return _Placed(tuple(path), error["type"], error, point, branch, is_key)


def _chosen(placed: Iterable[_Placed]) -> list[_Placed]:
    """Of a union's branches keep the one that was meant: of the right type, then with the fewest errors."""
    chosen: list[_Placed] = []
    unions: dict[Path, dict[str, list[_Placed]]] = {}
    for one in placed:
        if one.point is None:
            chosen.append(one)
        else:
            unions.setdefault(one.path[: one.point], {}).setdefault(one.branch, []).append(one)
    for point, branches in unions.items():
        ranked = [(_wrong_type(errors, len(point)), len(errors), errors) for errors in branches.values()]
        chosen += min(ranked, key=lambda r: r[:2])[2]
    return chosen


def _wrong_type(errors: list[_Placed], depth: int) -> bool:
    """Whether a branch refused the value itself, rather than something in it or its sense."""
    return all(len(e.path) == depth and e.kind != "value_error" for e in errors)


def _record(one: _Placed, document: Document) -> None:
    path, error = one.path, one.error
    if any(p.field == dotted(path) for p in document.problems):
        return  # reading the file has told already
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Refused):
        document.add(path, cause.found, cause.expected, cause.remedy)
    elif one.kind == "extra_forbidden":
        _record_unknown(path, document)
    elif one.kind == "missing":
        document.add(path, "missing", describe(annotation_at(Project, path, document.data)))
    elif one.is_key:
        parent = annotation_at(Project, path[:-1], document.data)
        document.add(path, f"the name {shown(path[-1])}", describe(parent, key=True))
    else:
        _record_value(path, error["input"], document)


def _record_unknown(path: Path, document: Document) -> None:
    owner = model_of(annotation_at(Project, path[:-1], document.data), _at(document.data, path[:-1]))
    known = field_names(owner) if owner else []
    document.add(path, "unknown field", "one of " + listed(known), did_you_mean(path[-1], known))


def _record_value(path: Path, value: Any, document: Document) -> None:
    annotation = annotation_at(Project, path, document.data)
    choices, suggestion = enumerated(annotation), ""
    if choices and isinstance(value, str):
        suggestion = did_you_mean(value, choices)
    elif takes_text(annotation) and isinstance(value, int | float):
        suggestion = f"Write it in quotes: '{str(value).lower()}'."
    document.add(path, shown(value), describe(annotation), suggestion)


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data
