"""What a field takes, in plain words, from the annotations of the project's models."""

import functools
import types
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from evergreen.project.wording import Path, listed

_WORDS: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    date: "a date such as 2026-01-31",
    datetime: "a date or time such as 2026-01-31T12:00:00",
    timedelta: "a duration such as 30d, 12h or 15m",
    Any: "a value",
    types.NoneType: "nothing",
}


def field_names(model: type[BaseModel]) -> list[str]:
    """The names of a section's fields."""
    return list(model.model_fields)


def annotation_at(model: type[BaseModel], path: Path, data: Any) -> Any:
    """The annotation of the field at `path`, following the branch of a union that `data` fits best."""
    annotation: Any = model
    here = data
    for part in path:
        annotation = _step(annotation, part, here)
        here = here[part] if has(here, part) else None
    return annotation


def model_of(annotation: Any, data: Any) -> type[BaseModel] | None:
    """The section that an annotation stands for; of several the one that shares most fields with `data`."""
    models = [a for a in map(_bare, branches(annotation)) if isinstance(a, type) and issubclass(a, BaseModel)]
    if not models:
        return None
    keys = set(data) if isinstance(data, dict) else set()
    return max(models, key=lambda m: len(keys & set(m.model_fields)))


def enumerated(annotation: Any) -> list[str]:
    """The words that an annotation allows, if it is a choice of words (or a list of such)."""
    words: list[str] = []
    for branch in map(_bare, branches(annotation)):
        if get_origin(branch) is Literal:
            words += [str(v) for v in get_args(branch)]
    return words


def takes_text(annotation: Any) -> bool:
    """Whether text is among what an annotation takes, and numbers are not."""
    bare = [_bare(b) for b in branches(annotation)]
    return str in bare and int not in bare and float not in bare


def describe(annotation: Any, *, key: bool = False) -> str:
    """Plain words for what an annotation takes, such as `one of time, entity or auto`.

    Args:
        annotation: A type hint with its extras.
        key: Describe a mapping's keys instead.
    """
    if key:
        for branch in map(_bare, branches(annotation)):
            if get_origin(branch) is dict:
                return describe(get_args(branch)[0])
    if get_origin(annotation) is Annotated:
        return _described_annotated(annotation)
    parts = [_described_branch(b) for b in branches(annotation) if b is not types.NoneType]
    return " or ".join(dict.fromkeys(parts)) or "nothing"


def _described_annotated(annotation: Any) -> str:
    inner, *metadata = get_args(annotation)
    infos = [m for m in metadata if isinstance(m, FieldInfo)]
    for info in infos:
        if info.description:
            return info.description
    rules = [r for m in metadata for r in (m.metadata if isinstance(m, FieldInfo) else [m])]
    return describe(inner) + _bounds(rules)


def _bounds(rules: list[Any]) -> str:
    low = next((f"of at least {r.ge:,}" for r in rules if isinstance(r, Ge)), "")
    low = low or next((f"greater than {r.gt:,}" for r in rules if isinstance(r, Gt)), "")
    high = next((f"at most {r.le:,}" for r in rules if isinstance(r, Le)), "")
    high = high or next((f"less than {r.lt:,}" for r in rules if isinstance(r, Lt)), "")
    least = next((r.min_length for r in rules if isinstance(r, MinLen)), 0)
    bounds = " and ".join(b for b in (low, high) if b)
    return (f" {bounds}" if bounds else "") + (" (at least one)" if least else "")


def _described_branch(branch: Any) -> str:
    origin = get_origin(branch)
    if origin is Annotated:
        return _described_annotated(branch)
    if origin is Literal:
        words = [str(v) for v in get_args(branch)]
        return "one of " + listed(words) if len(words) > 1 else f"`{words[0]}`"
    if origin is list:
        return "a list of " + _plural(describe(get_args(branch)[0]))
    if origin is dict:
        return "a mapping of names to " + _plural(describe(get_args(branch)[1]))
    if isinstance(branch, type) and issubclass(branch, BaseModel):
        required = [n for n, f in branch.model_fields.items() if f.is_required()]
        if required:
            return "a mapping with " + " and ".join(f"`{n}`" for n in required)
        return "a mapping with fields such as " + ", ".join(f"`{n}`" for n in list(branch.model_fields)[:3])
    return _WORDS.get(branch, "a value")


def _plural(words: str) -> str:
    if words.startswith("one of "):
        return words.removeprefix("one of ")
    if words.startswith("a duration"):
        return "durations" + words.removeprefix("a duration")
    swaps = {"text": "text", "a number": "numbers", "a value": "values", "a whole number": "whole numbers"}
    if words.startswith("a mapping with"):
        return "mappings" + words.removeprefix("a mapping")
    return swaps.get(words, words)


def branches(annotation: Any) -> list[Any]:
    """The alternatives of a union, else the annotation alone; looks through `Annotated` around a union."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner = get_args(annotation)[0]
        return branches(inner)
    if origin in (Union, types.UnionType):
        return [b for a in get_args(annotation) for b in ([a] if get_origin(a) is Annotated else branches(a))]
    return [annotation]


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _step(annotation: Any, part: str | int, data: Any) -> Any:
    model = model_of(annotation, data)
    if model and isinstance(part, str) and part in model.model_fields:
        return _hints(model)[part]
    for bare in map(_bare, branches(annotation)):
        if get_origin(bare) is dict and isinstance(part, str):
            return get_args(bare)[1]
        if get_origin(bare) is list and isinstance(part, int):
            return get_args(bare)[0]
    return Any


@functools.cache
def _hints(model: type[BaseModel]) -> dict[str, Any]:
    return get_type_hints(model, include_extras=True)


def has(data: Any, part: object) -> bool:
    """Whether `part` is a key of the mapping or an index of the list `data`."""
    if isinstance(data, dict):
        return part in data
    return isinstance(data, list) and isinstance(part, int) and part < len(data)
