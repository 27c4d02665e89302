"""A repair policy as YAML: the section `repair` of a project file, on its own in a file or to paste."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from evergreen.errors import InputError
from evergreen.files import explained
from evergreen.near import did_you_mean
from evergreen.project.document import flow
from evergreen.project.model import RepairPolicy
from evergreen.tables.names import listed


def policy_text(name: str, policies: Mapping[str, RepairPolicy], why: Mapping[str, str] | None = None) -> str:
    """The section `repair` for one source; empty without policies."""
    lines = policy_lines(policies, why)
    return "\n".join(["repair:", f"  {name}:", *lines]) + "\n" if lines else ""


def policy_lines(policies: Mapping[str, RepairPolicy], why: Mapping[str, str] | None = None) -> list[str]:
    """One line for each column, as they stand below a source in the section `repair`."""
    lines = []
    for column, policy in policies.items():
        said = f" # {' '.join(why[column].split())}" if why and why.get(column) else ""
        given = policy.model_dump(mode="json", exclude_unset=True)
        lines.append(f"    {flow(column)}: {flow(given)}{said}")
    return lines


def read_policy(path: Path, name: str) -> dict[str, RepairPolicy]:
    """Read the policies of one table from a file that holds a section `repair`, or a whole project.

    Args:
        path: The file.
        name: The table's name; a file with one source needs no other.

    Raises:
        InputError: for a file that is missing or no YAML, and for a policy that cannot be.
    """
    with explained(path):
        if not path.is_file():
            raise InputError(str(path), "no such file", "YAML with a section `repair`")
        text = path.read_text(encoding="utf-8")
    try:
        data = yaml.load(text, _Loader)  # noqa: S506 - derived from the safe loader
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise InputError(f"{path}, line {line}", "text that is not YAML", "a section `repair`") from None
    sources = data.get("repair", data) if isinstance(data, dict) else None
    if not isinstance(sources, dict) or not all(isinstance(s, dict) for s in sources.values()):
        raise InputError(str(path), "no section `repair`", "`repair: {source: {column: {…}}}`")
    if name not in sources and len(sources) != 1:
        remedy = did_you_mean(name, sources)
        raise InputError(str(path), f"no policies for {name!r}", f"one of {listed(sources)}", remedy)
    given: dict[Any, Any] = sources.get(name) or next(iter(sources.values()))
    return {str(column): _policy(path, str(column), one) for column, one in given.items()}


class _Loader(yaml.SafeLoader):
    """YAML 1.2 as in the project file: yes, no, on and off are text."""


_Loader.yaml_implicit_resolvers = {
    sign: [(tag, regexp) for tag, regexp in resolvers if not (tag.endswith(":bool") and sign in "yYnNoO")]
    for sign, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _policy(path: Path, column: str, given: object) -> RepairPolicy:
    try:
        return RepairPolicy.model_validate(given if given is not None else {})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(p) for p in first["loc"])
        context = first.get("ctx", {}).get("error")
        found = str(context) if context else f"{first['input']!r}: {first['msg']}"
        if first["type"] == "extra_forbidden":
            near = did_you_mean(str(first["loc"][-1]), RepairPolicy.model_fields)
            raise InputError(f"{path}: {column}.{field}", "unknown field", remedy=near) from None
        raise InputError(f"{path}: {column}.{field}".rstrip("."), found) from None
