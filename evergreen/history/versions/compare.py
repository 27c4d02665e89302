"""Two versions of a kept table side by side, or two files."""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from evergreen.history.versions.changes import Changes, compare_tables
from evergreen.history.versions.deltalog import Version
from evergreen.history.versions.timetravel import fetch_version, list_versions, parse_moment, pick
from evergreen.profile.open import opened
from evergreen.project.model import Resources
from evergreen.tables.connection import connect


@dataclass(frozen=True)
class Compared:
    """What changed between two tables, and what these are called."""

    before: str
    after: str
    changes: Changes

    def record(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {"before": self.before, "after": self.after, **self.changes.record()}


def compare_versions(
    uri: str,
    before: str,
    after: str,
    key: Sequence[str] = (),
    endpoint: str | None = None,
    resources: Resources | None = None,
) -> Compared:
    """Compare two versions of a Delta table, or two files.

    Args:
        uri: The Delta table; not read where both are files.
        before: A version's number (negative ones count from the end), a moment, or a file.
        after: The same.
        key: Columns that name a row; default: the key that the newer version's `meta.json` tells, with its
            time, where that names one row; else whole rows are compared.
        endpoint: Of the S3 server.
        resources: Memory and threads.

    Raises:
        DataError: for a version that is not there or no longer kept, a table that cannot be read, and a key
            column that is missing.
        StorageError: when the store refuses.
    """
    with ExitStack() as stack:
        if Path(before).exists() and Path(after).exists():
            paths = [stack.enter_context(opened(Path(p), resources)) for p in (before, after)]
            return Compared(before, after, _compare(paths[0], paths[1], key, (), resources))
        versions = list_versions(uri, endpoint)
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="evergreen-diff-")))
        picked = [_picked(uri, versions, text) for text in (before, after)]
        folders = [
            fetch_version(uri, v, scratch / f"{side}-{v.version}", endpoint) for side, v in enumerate(picked)
        ]
        names = [f"version {v.version}" for v in picked]
        changes = _compare(folders[0], folders[1], key, _known_key(picked[1]), resources)
        return Compared(names[0], names[1], changes)


def _compare(
    before: Path, after: Path, key: Sequence[str], known: Sequence[str], resources: Resources | None
) -> Changes:
    with connect(resources) as con:
        return compare_tables(con, before, after, key or known, asked=bool(key))


def _picked(uri: str, versions: Sequence[Version], text: str) -> Version:
    if re.fullmatch(r"-?\d{1,9}", text):
        return pick(uri, versions, int(text))
    return pick(uri, versions, as_of=parse_moment(text))


def _known_key(version: Version) -> list[str]:
    """The key and the time that a training set tells of: its key alone may name an entity only."""
    meta = version.meta
    names = [*meta.get("key", []), *([meta["time"]] if meta.get("time") else [])]
    return list(dict.fromkeys(names))
