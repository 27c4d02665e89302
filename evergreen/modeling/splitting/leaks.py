"""Leaks between the parts of a split: entities in two parts, training rows later than a test row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from evergreen.errors import DataError, InputError
from evergreen.modeling.splitting.assign import PARTS
from evergreen.project.model import Project
from evergreen.tables import identifier, scan

_SAMPLES = 5


@dataclass(frozen=True)
class Leaks:
    """What stands on both sides.

    Attributes:
        entities: Entities with rows in more than one part; None when the table has no entity.
        future_rows: Training rows later than the first test row; None when the table has no time.
        entity_samples: A few of those entities, as text.
        future_samples: The keys of a few of those rows, as text.
    """

    entities: int | None = None
    future_rows: int | None = None
    entity_samples: tuple[str, ...] = ()
    future_samples: tuple[str, ...] = ()


def find_leaks(
    con: duckdb.DuckDBPyConnection, splits: Path, project: Project, meta: Mapping[str, Any]
) -> Leaks:
    """Count the leaks between written parts, refused or not.

    Raises:
        InputError: when `split.refuse` names a leak that cannot exist for want of an entity or a time.
    """
    by = tuple(project.split.by or meta.get("entity") or ())
    time = meta.get("time")
    if "entity" in project.split.refuse and not by:
        raise InputError(
            "split.refuse", "`entity`, but the project names none", remedy="Set `entity` or `split.by`."
        )
    if "future" in project.split.refuse and not time:
        raise InputError("split.refuse", "`future`, but the project names no time", remedy="Set `time`.")
    entities, entity_samples = _entities(con, splits, by) if by else (None, ())
    keys = tuple(meta.get("key") or by or (time,))
    future, future_samples = _future(con, splits, time, keys) if time else (None, ())
    return Leaks(entities, future, entity_samples, future_samples)


def _entities(con: duckdb.DuckDBPyConnection, splits: Path, by: Sequence[str]) -> tuple[int, tuple[str, ...]]:
    names = ", ".join(identifier(c) for c in by)
    each = " UNION ALL ".join(f"SELECT DISTINCT {names} FROM {scan(splits / f'{p}.parquet')}" for p in PARTS)
    shared = f"SELECT {names} FROM ({each}) GROUP BY ALL HAVING count(*) > 1"
    (count,) = con.execute(f"SELECT count(*) FROM ({shared})").fetchall()[0]
    rows = con.execute(f"{shared} ORDER BY ALL LIMIT {_SAMPLES}").fetchall() if count else []
    return int(count), tuple(_key(by, row) for row in rows)


def _future(
    con: duckdb.DuckDBPyConnection, splits: Path, time: str, keys: Sequence[str]
) -> tuple[int, tuple[str, ...]]:
    column, names = identifier(time), ", ".join(identifier(c) for c in keys)
    train, test = scan(splits / "train.parquet"), scan(splits / "test.parquet")
    late = f"FROM {train} WHERE {column} > (SELECT min({column}) FROM {test})"
    (count,) = con.execute(f"SELECT count(*) {late}").fetchall()[0]
    rows = con.execute(f"SELECT {names} {late} ORDER BY ALL LIMIT {_SAMPLES}").fetchall() if count else []
    return int(count), tuple(_key(keys, row) for row in rows)


def _key(names: Sequence[str], row: Sequence[Any]) -> str:
    return ", ".join(f"{n}={v}" for n, v in zip(names, row, strict=True))


def refuse_leaks(leaks: Leaks, refuse: Sequence[str]) -> None:
    """Stop at a leak that the project refuses.

    Raises:
        DataError: with the number of entities or rows and the keys of a few.
    """
    if "entity" in refuse and leaks.entities:
        raise DataError(
            "split",
            f"{leaks.entities} entities stand in more than one part "
            f"(such as {'; '.join(leaks.entity_samples)})",
            "each entity in one part (`split.refuse: [entity]`)",
            "Use `split.method: entity`, or do not refuse it.",
        )
    if "future" in refuse and leaks.future_rows:
        raise DataError(
            "split",
            f"{leaks.future_rows} training rows are later than the first test row "
            f"(such as {'; '.join(leaks.future_samples)})",
            "no training row later than a test row (`split.refuse: [future]`)",
            "Use `split.method: time`, or do not refuse it.",
        )
