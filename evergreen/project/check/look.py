"""What the checks against data share: the open tables, their columns, and how a missing column is told."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import duckdb

from evergreen.errors import DataError, EvergreenError
from evergreen.project.document import Document
from evergreen.project.model import Project
from evergreen.project.wording import Path, did_you_mean, listed

Schema = dict[str, str]


@dataclass
class Look:
    """A project, its document, and the sources that could be opened as views of a DuckDB connection.

    Attributes:
        schemas: For each opened source, column name to DuckDB type.
    """

    project: Project
    document: Document
    con: duckdb.DuckDBPyConnection
    schemas: dict[str, Schema] = field(default_factory=dict)

    def require(self, where: Path, column: str, source: str) -> bool:
        """Whether an opened source has a column; records a problem if not."""
        return self.require_one_of(where, column, self.schemas[source], f"a column of {source!r}")

    def require_one_of(self, where: Path, column: str, known: Collection[str], what: str) -> bool:
        """Whether a column is among the known ones; records a problem if not."""
        if column not in known:
            expected = f"{what}: {listed(list(known), 12)}"
            self.document.add(where, f"no column {column!r}", expected, did_you_mean(column, known))
        return column in known

    def tell(self, where: Path, error: DataError) -> None:
        """Record what a run would refuse; its own name for the place is the field already."""
        place = re.sub(r"^(source [^,]+|sources\.\w+\.sql|label\.decisions)(, )?", "", error.where)
        found = f"{place}: {error.found}" if place else error.found
        self.document.add(where, found, error.expected or "data that can be used", error.remedy)

    def told(self, where: Path, work: Callable[[], object]) -> None:
        """Do some work on a table; what is wrong with the table is recorded."""
        try:
            work()
        except DataError as error:
            self.tell(where, error)

    def row(self, query: str) -> tuple[Any, ...] | None:
        """The first row of a query; None when the table cannot be read to its end (told elsewhere)."""
        try:
            return self.con.execute(query).fetchone()
        except (duckdb.Error, EvergreenError):
            return None
