"""docs/project-file.md: every field of the project file, from the models' annotations and docstrings."""

import inspect
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from evergreen.project.describe import branches, describe
from evergreen.project.model import Project, format_duration

_INTRODUCTION = """\
# The project file

<!-- Generated from evergreen/project/model by `make docs`; do not edit. -->

One YAML file drives every pipeline. `evergreen init` writes one from your data, `evergreen check` checks it
against itself, its data and its estimator, and a wrong one gets every error at once, each with its line. A
complete one, with comments, is [examples/coupons/project.yaml](../examples/coupons/project.yaml).

It is YAML 1.2: `on`, `off`, `yes` and `no` are text, and `1e-3` is a number. An unknown field, or one that
stands twice, is an error. Durations are a number with a unit: `2w`, `30d`, `12h`, `15m`, `45s`. Where a list
of columns is expected, a single one may stand alone. Credentials never stand in the file: they come from the
environment.
"""


def reference() -> str:
    """The page as Markdown; the same text for the same models."""
    places: dict[str, list[type[BaseModel]]] = {}
    for path, model in _sections("", Project):
        if model not in [m for models in places.values() for m in models]:
            places.setdefault(path, []).append(model)
    parts = [_INTRODUCTION]
    for path, models in places.items():
        parts.append(f"## `{path}`\n" if path else "## The file\n")
        parts += [_table(path, model, places) for model in models]
    return "\n".join(parts)


def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """What a section's docstring says about each field, under `Attributes`."""
    _, _, listing = inspect.cleandoc(model.__doc__ or "").partition("\nAttributes:\n")
    docs: dict[str, str] = {}
    name = ""
    for line in listing.splitlines():
        begins = re.match(r"    (\w+): (.*)", line)
        if begins:
            name, docs[begins[1]] = begins[1], begins[2]
        elif name and line.strip():
            docs[name] += " " + line.strip()
    return docs


def _sections(path: str, model: type[BaseModel]) -> Any:
    """Every section with its path in the file, the outer ones first: `sources.<name>`, `features[]`."""
    yield path, model
    for field, annotation in get_type_hints(model, include_extras=True).items():
        if field in model.model_fields:
            for suffix, inner in _inner(annotation, 0):
                yield from _sections(f"{path}.{field}{suffix}".lstrip("."), inner)


def _inner(annotation: Any, names: int) -> Any:
    for branch in branches(annotation):
        bare = get_args(branch)[0] if get_origin(branch) is Annotated else branch
        if isinstance(bare, type) and issubclass(bare, BaseModel):
            yield "", bare
        elif get_origin(bare) is list:
            yield from ((f"[]{suffix}", inner) for suffix, inner in _inner(get_args(bare)[0], names))
        elif get_origin(bare) is dict:
            key = ("name", "column")[min(names, 1)]
            yield from (
                (f".<{key}>{suffix}", inner) for suffix, inner in _inner(get_args(bare)[1], names + 1)
            )


def _table(path: str, model: type[BaseModel], places: Mapping[str, Sequence[Any]]) -> str:
    prose = inspect.cleandoc(model.__doc__ or "").partition("\nAttributes:\n")[0].strip()
    docs, hints = field_docs(model), get_type_hints(model, include_extras=True)
    lines = [prose, "", "| Field | Takes | Default | |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        inner = [f"{path}.{name}{suffix}".lstrip(".") for suffix, _ in _inner(hints[name], 0)]
        takes = _link(inner[0]) if inner and inner[0] in places else describe(hints[name])
        cells = [f"`{name}`", takes, _default(field), docs.get(name, "")]
        lines.append("| " + " | ".join(c.replace("|", r"\|") for c in cells) + " |")
    return "\n".join(lines) + "\n"


def _link(path: str) -> str:
    """A link to a section, by the anchor that its heading gets."""
    anchor = re.sub(r"[^a-z0-9_-]", "", path.lower())
    kind = {"]": "a list of", ">": "by name:"}.get(path[-1], "")
    return f"{kind} [`{path}`](#{anchor})".strip()


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or value in ("", [], {}) or isinstance(value, BaseModel):
        return ""
    if isinstance(value, timedelta):
        return f"`{format_duration(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
