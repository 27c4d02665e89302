"""Which files a profile reads, and what the project calls their columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evergreen.profile.model import Role
from evergreen.tables import parts, read_meta
from evergreen.tables.parquet import file_scan


@dataclass(frozen=True)
class Source:
    """A table on disk: SQL that reads it, the roles that `meta.json` gives to columns, and its files."""

    relation: str
    roles: Mapping[str, Role]
    files: tuple[Path, ...] = ()

    @staticmethod
    def of(path: Path) -> "Source":
        """The table at `path`: a Parquet file, a folder of part files, or a training set with `meta.json`.

        Raises:
            DataError: when there is no Parquet file, or `meta.json` is not JSON.
        """
        path = Path(path)
        meta = read_meta(path) if (path / "meta.json").is_file() else {}
        files = tuple(parts(path))
        return Source(file_scan(files), _roles(meta), files)

    def named(self, role: Role) -> list[str]:
        """The columns of a role."""
        return [name for name, own in self.roles.items() if own == role]


def _roles(meta: Mapping[str, Any]) -> dict[str, Role]:
    roles: dict[str, Role] = {}
    for field in ("entity", "key"):
        roles |= dict.fromkeys(meta.get(field) or [], "key")
    if meta.get("time"):
        roles[meta["time"]] = "time"
    if meta.get("label"):
        roles[meta["label"]] = "label"
    return roles
