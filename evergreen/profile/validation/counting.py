"""Counts of the rows that break rules: of a whole table, or of shards of it that add up to the same."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import duckdb

from evergreen.errors import DataError
from evergreen.files import write_text
from evergreen.profile.counting.reading import Request, collect
from evergreen.profile.model import Profile
from evergreen.profile.schema.model import Schema
from evergreen.profile.validation.rules import Rule, identity
from evergreen.tables import identifiers
from evergreen.tables.rowkeys import repetitions


@dataclass(frozen=True)
class RuleCounts:
    """How many rows break each rule.

    Attributes:
        rows: Rows that were looked at.
        broken: Rows by rule, keyed as `rules.identity` says.
        repeated: By group of unique columns (joined by ", "): rows that repeat an earlier one's values.
        shards: How many shards there are, and which of them this is; (1, (0,)) for a whole table.
    """

    rows: int
    broken: Mapping[str, int]
    repeated: Mapping[str, int] = field(default_factory=dict)
    shards: tuple[int, tuple[int, ...]] = (1, (0,))

    def write(self, path: Path) -> None:
        """Write the counts as JSON, whole or not at all."""
        write_text(Path(path), json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")

    @staticmethod
    def read(path: Path) -> "RuleCounts":
        """Read what `write` wrote.

        Raises:
            DataError: when the file holds no counts.
        """
        try:
            raw = json.loads(Path(path).read_text(encoding="utf-8"))
            of, which = raw["shards"]
            return RuleCounts(raw["rows"], raw["broken"], raw["repeated"], (of, tuple(which)))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(str(path), f"no counts of rules ({error})", "what validate_rows wrote") from error


def added(parts: Sequence[RuleCounts]) -> RuleCounts:
    """The counts of all shards together.

    Raises:
        DataError: when a shard is absent, stands twice, or counted other rules.
    """
    of, which = parts[0].shards[0], [s for p in parts for s in p.shards[1]]
    if sorted(which) != list(range(of)) or any(p.shards[0] != of for p in parts):
        raise DataError("counts", f"shards {sorted(which)} of {of}", "every shard once")
    if any(set(p.broken) != set(parts[0].broken) for p in parts):
        raise DataError("counts", "shards that counted different rules", "shards of one run")
    return RuleCounts(
        sum(p.rows for p in parts),
        {rule: sum(p.broken[rule] for p in parts) for rule in parts[0].broken},
        {group: sum(p.repeated[group] for p in parts) for group in parts[0].repeated},
    )


def unique_groups(schema: Schema, profile: Profile) -> list[tuple[str, ...]]:
    """Groups of columns that the schema wants unique, and that the profile does not say are."""
    groups = [schema.key] if schema.key else []
    groups += [(c.name,) for c in schema.columns if c.unique and (c.name,) != schema.key]
    return [g for g in groups if set(g) <= set(profile.by_name) and not _known_unique(profile, g)]


def _known_unique(profile: Profile, group: tuple[str, ...]) -> bool:
    if profile.key and set(profile.key) <= set(group):
        return True
    column = profile.by_name[group[0]]
    return len(group) == 1 and bool(column.unique) and not column.missing


def count_rules(
    con: duckdb.DuckDBPyConnection, relation: str, rules: Sequence[Rule], groups: Sequence[tuple[str, ...]],
    shard: int = 0, shards: int = 1,
) -> RuleCounts:  # fmt: skip
    """Count all rules in one pass, and each group's repetitions in one more that spills to the disk.

    Args:
        con: An open connection.
        relation: What can stand after FROM; of shards a scan of Parquet.
        rules: What is counted.
        groups: Columns that should be unique together.
        shard: Which part of the rows; rules by row number, repetitions by the hash of the group's values.
        shards: How many parts there are.
    """
    part = relation if shards == 1 else f"{relation} WHERE file_row_number % {shards} = {shard}"
    requests = [Request({"b": rule.breaks}, {"count": "coalesce(count_if({b}), 0)"}) for rule in rules]
    rows = con.execute(f"SELECT count(*) FROM {part}").fetchall()[0][0]
    answers = collect(con, part, requests).get(None, []) if requests else []
    broken = {identity(r, i): int(a["count"]) for i, (r, a) in enumerate(zip(rules, answers, strict=True))}
    repeated = {", ".join(g): _repetitions(con, relation, g, shard, shards) for g in groups}
    return RuleCounts(int(rows), broken, repeated, (shards, (shard,)))


def _repetitions(
    con: duckdb.DuckDBPyConnection, relation: str, group: Sequence[str], shard: int, shards: int
) -> int:
    names = identifiers(group)
    conditions = [f"hash({names}) % {shards} = {shard}"] if shards > 1 else []
    conditions += [f"{names} IS NOT NULL"] if len(group) == 1 else []
    return repetitions(con, relation, group, " AND ".join(conditions))
