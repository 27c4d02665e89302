"""The schema of a table: what each column must look like. Inferred once, then read and edited by people."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from evergreen.errors import DataError
from evergreen.profile.model import Scalar
from evergreen.project.document import write_document

TYPES = ("integer", "number", "boolean", "timestamp", "date", "category", "text", "nested", "any")
ENVIRONMENTS = ("training", "serving")
TOLERANCE = 0.01

HEADER = """\
# The schema that `validate_data` holds a table to. Edit it by hand; it travels with the model.
# Of a column: `type`; `required` (default true); `max_missing` and `max_invalid` (NaN, infinities), shares of
# rows; `domain`, the values allowed; `min` and `max`; `unique`; `environments`, where it must be (default
# everywhere: training and serving).
# Up to `tolerance` of the rows may be out of domain or range with a warning; more is a failure.
# `rows` is how many rows the inferred domains rest on: rows out of a domain that chance explains, since so
# few were seen, are let pass. With `rows: 0`, or a `tolerance` of the column's own, every row counts.
# `evergreen schema relax` and `tighten` change it by what a table shows, and print what they change.
"""


@dataclass(frozen=True)
class ColumnSchema:
    """What one column must look like.

    Attributes:
        name: As in the table.
        type: One of `TYPES`; `category` and `text` are both text, `number` takes integers too, `any` all.
        required: Whether it must be there, in its environments.
        max_missing: Share of rows that may be missing; 1 is no bound.
        max_invalid: Share of rows that may be NaN or infinite.
        domain: The values allowed; None for any.
        minimum: Smallest value allowed; for times seconds since 1970 or ISO text.
        maximum: Largest value allowed.
        tolerance: Share of rows that may be out of domain or range with a warning; None for the schema's own.
        unique: Whether no value may stand twice.
        environments: Where the column is expected; empty for everywhere.
    """

    name: str
    type: str
    required: bool = True
    max_missing: float = 1.0
    max_invalid: float = 1.0
    domain: tuple[Scalar, ...] | None = None
    minimum: int | float | str | None = None
    maximum: int | float | str | None = None
    tolerance: float | None = None
    unique: bool = False
    environments: tuple[str, ...] = ()

    def expected_in(self, environment: str) -> bool:
        """Whether the column belongs to a table of that environment."""
        return not self.environments or environment in self.environments


@dataclass(frozen=True)
class Revision:
    """A version of a schema: what made it, and what it changed.

    Attributes:
        version: The number that it gave the schema.
        command: Such as `relax` or `tighten`; empty for a hand's edit.
        changes: One line for each field that changed.
        at: When, where the caller said so.
        by: Who, where the caller said so.
    """

    version: int
    command: str = ""
    changes: tuple[str, ...] = ()
    at: str = ""
    by: str = ""


@dataclass(frozen=True)
class Schema:
    """The schema of a table.

    Attributes:
        columns: In the table's order.
        key: Columns that are unique together; empty when nothing is said.
        tolerance: See `ColumnSchema.tolerance`.
        version: Counts revisions, from 1.
        rows: How many rows the inferred domains rest on; 0 where they rest on none.
        history: The revisions, oldest first.
    """

    columns: tuple[ColumnSchema, ...]
    key: tuple[str, ...] = ()
    tolerance: float = TOLERANCE
    version: int = 1
    rows: int = 0
    history: tuple[Revision, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, ColumnSchema]:
        """The columns by their names."""
        return {c.name: c for c in self.columns}

    def to_yaml(self) -> str:
        """The schema as YAML that people can edit and `from_yaml` reads back equal."""
        top: dict[str, Any] = {"version": self.version, "tolerance": self.tolerance}
        if self.rows:
            top["rows"] = self.rows
        if self.key:
            top["key"] = list(self.key)
        body = [write_document({c.name: _written(c)}) for c in self.columns]
        columns = "".join("  " + line for text in body for line in text.splitlines(keepends=True))
        text = f"{HEADER}{write_document(top)}columns:{' {}' if not body else ''}\n{columns}"
        past = [_revision(r) for r in self.history]
        return text + (write_document({"history": past}) if past else "")

    @staticmethod
    def from_yaml(text: str, where: str = "schema.yaml") -> "Schema":
        """Read a schema.

        Raises:
            ProjectError: with every fault, its line, what was found and what was expected.
        """
        from evergreen.profile.schema.file import parse

        return parse(text, where)

    @staticmethod
    def read(path: Path) -> "Schema":
        """Read a schema from a file, or from `schema.yaml` in a folder.

        Raises:
            DataError: when there is none, or it is not text.
            ProjectError: when it is broken.
        """
        file = path / "schema.yaml" if path.is_dir() else path
        try:
            return Schema.from_yaml(file.read_text(encoding="utf-8-sig"), str(file))
        except FileNotFoundError:
            raise DataError(str(file), "no such file", "a schema") from None
        except UnicodeDecodeError:
            raise DataError(str(file), "not UTF-8 text", "a schema") from None


def _revision(revision: Revision) -> dict[str, Any]:
    fields = {"version": revision.version, "command": revision.command, "changes": list(revision.changes)}
    more = {"at": revision.at, "by": revision.by}
    return {name: value for name, value in {**fields, **more}.items() if value}


def _written(column: ColumnSchema) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": column.type}
    if not column.required:
        fields["required"] = False
    if column.max_missing < 1:
        fields["max_missing"] = column.max_missing
    if column.max_invalid < 1:
        fields["max_invalid"] = column.max_invalid
    if column.domain is not None:
        fields["domain"] = list(column.domain)
    if column.minimum is not None:
        fields["min"] = column.minimum
    if column.maximum is not None:
        fields["max"] = column.maximum
    if column.tolerance is not None:
        fields["tolerance"] = column.tolerance
    if column.unique:
        fields["unique"] = True
    if column.environments:
        fields["environments"] = list(column.environments)
    return fields
