"""A skew check of any two tables that a person names: files, training sets, versions of kept tables."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from evergreen.errors import InputError
from evergreen.history.versions.timetravel import fetch_version, list_versions, pick
from evergreen.profile.open import opened
from evergreen.project import load_project
from evergreen.project.model import Resources, SkewGate, parse_duration
from evergreen.skew.check import Skew, check_skew
from evergreen.skew.names import Named, named


def gate_of(project: Path | None, tolerance: str | None) -> SkewGate:
    """The gate to use: the project's, with the tolerance that was asked for.

    Raises:
        InputError: for a tolerance that is no duration.
        ProjectError: for a project file with faults.
    """
    gate = load_project(project).gates.skew if project else SkewGate()
    if tolerance is None:
        return gate
    try:
        span = parse_duration(tolerance)
    except ValueError as error:
        raise InputError("--tolerance", repr(tolerance), "a duration such as 5m or 1h") from error
    if not isinstance(span, timedelta):
        raise InputError("--tolerance", repr(tolerance), "a duration such as 5m or 1h")
    return gate.model_copy(update={"tolerance": span})


def compare_alone(
    training: str,
    serving: str,
    gate: SkewGate,
    key: Sequence[str] = (),
    time: str | None = None,
    label: str | None = None,
    project: Path | None = None,
) -> Skew:
    """Compare two tables as `check_skew` does; nothing is written to a store.

    Args:
        training: A CSV, JSON lines or Parquet file, a folder of them, a training set, a Delta table, or a
            version of one: `s3://bucket/snapshots/shop/training_set@3`.
        serving: The same of the serving rows.
        gate: Thresholds and modes.
        key: Columns that name a row in both.
        time: The column with the time.
        label: The label's column.
        project: A project file, for its label and resources.

    Raises:
        DataError: when a table cannot be read, or lacks a column that was asked for.
    """
    parsed = load_project(project) if project else None
    resources = parsed.resources if parsed else None
    with _table(training, resources) as (left, first), _table(serving, resources) as (right, second):
        return check_skew(
            left,
            right,
            gate,
            key=key,
            time=time,
            label=label or (parsed.label.column if parsed else None),
            names=(first, second),
            resources=resources,
        )


@contextmanager
def _table(text: str, resources: Resources | None) -> Iterator[tuple[Path, Named]]:
    """A table's Parquet and its name; a version of a Delta table is fetched, and checked byte by byte."""
    match = re.fullmatch(r"(.+?)@(-?\d+)", text)
    path = Path(text)
    kept = match is not None or "://" in text or (path / "_delta_log").is_dir()
    if not kept or path.is_file():
        with opened(path, resources) as parquet:
            yield parquet, named(parquet, text)
        return
    uri, number = (match[1], int(match[2])) if match else (text, None)
    version = pick(uri, list_versions(uri), number)
    with TemporaryDirectory(prefix="evergreen-version-") as scratch:
        folder = fetch_version(uri, version, Path(scratch) / "version")
        yield folder, Named(uri, version.version, version.digest, version.rows)
