"""A project file's text as plain data that remembers its lines.

The YAML read here is version 1.2's core schema: `on`, `off`, `yes` and `no` are text, `1e-3` is a number, and
dates stay text. Keys are always text; a key that stands twice is an error.
"""

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from evergreen.errors import Problem, ProjectError
from evergreen.project.wording import Path, dotted, shown

MAX_BYTES = 1_000_000
MAX_NODES = 50_000
MAX_DEPTH = 40

_FLOAT = re.compile(
    r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
)
_CORE = (
    ("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$|^0x[0-9a-fA-F]+$|^0o[0-7]+$"), list("-+0123456789")),
    ("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789")),
)


class _Loader(yaml.SafeLoader):
    """Composes nodes with the core schema's tags; nothing is ever constructed from a tag."""


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.1 or the core schema would read as something else than text."""

    def ignore_aliases(self, data: object) -> bool:
        """Write every value out; no anchors."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    """Lines as a block, and characters that YAML would take for line ends as escapes."""
    escaped = not text.isprintable() and any(not c.isprintable() and c != "\n" for c in text)
    style = '"' if escaped else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _CORE:
    _Loader.add_implicit_resolver(_tag, _pattern, _first)
    _Dumper.add_implicit_resolver(_tag, _pattern, _first)


@dataclass
class Document:
    """Plain data (mappings, lists, text, numbers, booleans, None) and the line of every path in it."""

    name: str
    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest part of it that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def add(self, path: Path, found: str, expected: str, suggestion: str = "") -> None:
        """Record a problem at a path."""
        problem = Problem(self.line(path), dotted(path), found, expected, suggestion)
        if problem not in self.problems:
            self.problems.append(problem)

    def stop_if_wrong(self) -> None:
        """Raise every problem recorded so far, in the order of the file.

        Raises:
            ProjectError: if there is any.
        """
        if self.problems:
            raise ProjectError(self.name, sorted(self.problems, key=lambda p: p.line))


def read_document(text: str, name: str) -> Document:
    """Parse YAML text.

    Raises:
        ProjectError: for text that is too long, empty, not YAML, not one mapping, or nested without end.
    """
    document = Document(name)
    if len(text) > MAX_BYTES:
        found = f"{len(text):,} characters"
        raise ProjectError(name, [Problem(1, "(file)", found, f"a project file of at most {MAX_BYTES:,}")])
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
        if node is not None:
            document.lines[()] = node.start_mark.line + 1
            document.data = _Builder(document).build(node, ())
    except yaml.YAMLError as error:
        raise ProjectError(name, [_syntax_problem(error)]) from None
    except RecursionError:
        raise ProjectError(name, [_too_deep(1)]) from None
    if document.data is None and not document.problems:
        document.add((), "an empty file", "a mapping with `name`, `sources`, `label` and `features`",
                     "`evergreen init` writes one from your data.")  # fmt: skip
    elif not isinstance(document.data, dict) and not document.problems:
        document.add((), shown(document.data), "a mapping such as `name: my-project`")
    if not isinstance(document.data, dict):
        document.stop_if_wrong()
    return document


def write_document(data: object) -> str:
    """Write plain data as YAML that `read_document` reads back equal."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _FlowDumper(_Dumper):
    """Keeps a value on one line."""


_FlowDumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"'
    ),
)


def flow(value: object) -> str:
    """A value as YAML on one line, such as `[a, 'b: c']`."""
    text = yaml.dump(value, Dumper=_FlowDumper, default_flow_style=True, allow_unicode=True, width=2**31)
    return text.removesuffix("\n").removesuffix("\n...")


def _too_deep(line: int) -> Problem:
    return Problem(line, "(file)", "values nested too deeply", f"at most {MAX_DEPTH} levels")


_SYNTAX = (
    ("found character '\\t'", "a tab", "spaces for indentation"),
    ("found duplicate anchor", "an anchor that stands twice", "each `&name` once"),
    ("found undefined alias", "an alias `*name` that no anchor defines", "`&name` before `*name`"),
    ("expected a single document", "a second YAML document (`---`)", "one project a file"),
    ("expected <block end>", "text that is not aligned with the lines above it",
     "the same indentation, and quotes closed"),
    ("mapping values are not allowed", "a `:` where none can stand",
     "the same indentation as the lines above, or quotes around text that holds `: `"),
    ("could not find expected ':'", "a line without `:`", "`field: value`"),
    ("found unexpected end of stream", "a quote that is never closed", "a closing quote"),
    ("special characters are not allowed", "a control character", "printable text"),
    ("found unknown escape", "an escape that YAML does not know",
     "single quotes around text with backslashes"),
    ("that cannot start any token", "a character that cannot start a value", "quotes around the text"),
)  # fmt: skip


def _syntax_problem(error: yaml.YAMLError) -> Problem:
    text = str(error)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = mark.line + 1 if mark else 1
    for sign, found, expected in _SYNTAX:
        if sign in text:
            return Problem(line, "(file)", found, expected)
    return Problem(line, "(file)", "text that is not YAML", "`field: value` lines, lists as `- item`")


class _Builder:
    """Turns nodes into data; counts them, so that aliases cannot blow up."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.nodes = 0

    def build(self, node: yaml.Node, path: Path) -> Any:
        """The data of `node`; problems are recorded with their line, and the value becomes None."""
        self.nodes += 1
        line = node.start_mark.line + 1
        if len(path) > MAX_DEPTH:
            raise ProjectError(self.document.name, [_too_deep(line)])
        if self.nodes > MAX_NODES:
            problem = Problem(line, "(file)", "too many values (aliases count as often as they stand)",
                              f"at most {MAX_NODES:,}")  # fmt: skip
            raise ProjectError(self.document.name, [problem])
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.document.lines[(*path, index)] = item.start_mark.line + 1
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(line, path, "a key that is a list or a mapping", "text as the key")
                continue
            place = (*path, key.value)
            if key.value in data:
                before = self.document.lines[place]
                self._refuse(
                    line, place, f"a key that stands twice (first on line {before})", "each key once"
                )
                continue
            self.document.lines[place] = line
            data[key.value] = self.build(value, place)
        return data

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        kind = node.tag.rpartition(":")[2]
        text = node.value
        line = node.start_mark.line + 1
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        try:
            if kind == "int":
                return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
            if kind == "float":
                return self._float(text, line, path)
        except ValueError:
            self._refuse(line, path, "a number with too many digits", "a shorter number, or text in quotes")
            return None
        if kind != "str":
            self._refuse(line, path, f"the YAML tag `{node.tag}`", "plain text, numbers, lists and mappings")
            return None
        return text

    def _float(self, text: str, line: int, path: Path) -> float | None:
        value = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        if math.isnan(value):
            self._refuse(line, path, "`.nan`", "a number")
            return None
        return value

    def _refuse(self, line: int, path: Path, found: str, expected: str) -> None:
        self.document.problems.append(Problem(line, dotted(path), found, expected))
