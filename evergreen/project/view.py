"""A tolerant look at a project file's plain data: what is of the wrong kind is as if it were not there."""

from typing import Any

from evergreen.project.document import Document
from evergreen.project.wording import Path, did_you_mean, listed, shown


def mapping(value: object) -> dict[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def column_list(value: object) -> list[str]:
    """A column or a list of columns as a list; anything else is left out."""
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, str)]


class View:
    """The sections that the checks between sections need."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.data: dict[str, Any] = document.data
        self.sources = {n: mapping(s) for n, s in mapping(self.data.get("sources")).items()}
        self.label = mapping(self.data.get("label"))
        self.entity = column_list(self.data.get("entity"))
        time = self.data.get("time")
        self.time = time if isinstance(time, str) and time else None
        groups = self.data.get("features")
        groups = groups if isinstance(groups, list) else []
        self.groups = [(i, g) for i, g in enumerate(groups) if isinstance(g, dict)]

    @property
    def label_source(self) -> str | None:
        """The name of the label's source, if it is a known one."""
        name = self.label.get("source")
        return name if isinstance(name, str) and name in self.sources else None

    def check_source(self, name: object, where: Path) -> None:
        """Record a reference to a source that is not in the file."""
        if isinstance(name, str) and self.sources and name not in self.sources:
            known = list(self.sources)
            expected = f"a source of this file: {listed(known)}"
            self.document.add(where, f"unknown source {shown(name)}", expected, did_you_mean(name, known))

    def check_columns(
        self, source: object, columns: list[str], where: Path, remedy: str = "", *, whole: bool = False
    ) -> None:
        """Record columns that the source does not list; a source without `columns` is not known to lack any.

        Args:
            source: The source's name; an unknown one is skipped.
            columns: The columns that are referred to.
            where: The field that refers to them.
            remedy: Said when no listed column is near.
            whole: The path is that of the column itself.
        """
        known = column_list(self.sources.get(source, {}).get("columns")) if isinstance(source, str) else []
        for index, column in enumerate(columns if known else []):
            if column not in known:
                place = where if whole or (*where, index) not in self.document.lines else (*where, index)
                found = f"column {column!r}, which `sources.{source}.columns` does not list"
                self.document.add(place, found, listed(known), did_you_mean(column, known) or remedy)
