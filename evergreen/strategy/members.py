"""Which rows are in a slice: SQL for its rule, over any part of the table."""

from collections.abc import Mapping, Sequence

import duckdb

from evergreen.errors import DataError
from evergreen.strategy.model import Rule
from evergreen.tables import identifier, identifiers, literal
from evergreen.tables.names import listed


class Members:
    """Membership in the slices of some rules.

    A rule about frequency counts over the whole table once, and keeps the values with few rows only; parts
    of the table are joined with them.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, everything: str, types: Mapping[str, str], rules: Sequence[Rule]
    ) -> None:
        """Count what the rules need.

        Args:
            con: An open connection; temporary tables are made in it.
            everything: SQL after FROM: the whole table, all parts.
            types: Its columns.
            rules: The rules.

        Raises:
            DataError: when a rule names a column that is not there.
        """
        self.rules = tuple(rules)
        self._tables: dict[Rule, str] = {}
        for rule in self.rules:
            for column in rule.columns:
                if column not in types:
                    expected = f"one of {listed(list(types))}"
                    raise DataError(
                        f"long tail by {column!r}", "no such column", expected, "Run assess_data again."
                    )
            if rule.kind == "frequency" and rule not in self._tables:
                self._tables[rule] = name = f"evergreen_tail_{len(self._tables)}"
                columns = identifiers(rule.columns)
                given = " AND ".join(f"{identifier(c)} IS NOT NULL" for c in rule.columns)
                con.execute(
                    f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {columns} FROM {everything} "
                    f"WHERE {given} GROUP BY {columns} HAVING count(*) BETWEEN {rule.fewest} AND {rule.most}"
                )

    def source(self, part: str, *, ordered: bool = False) -> str:
        """SQL after FROM: a part's rows with what the rules need beside them.

        Args:
            part: SQL after FROM.
            ordered: Whether rows must keep their order, which a join does not promise.
        """
        if not self._tables:
            return part
        marks, joins = [], []
        for rule, name in self._tables.items():
            marks.append(
                f"{name}.{identifier(rule.columns[0])} IS NOT NULL AS {identifier(self._mark(rule))}"
            )
            on = " AND ".join(f"p.{identifier(c)} = {name}.{identifier(c)}" for c in rule.columns)
            joins.append(f"LEFT JOIN {name} ON {on}")
        if not ordered:
            return f"(SELECT p.*, {', '.join(marks)} FROM {part} p {' '.join(joins)})"
        rows = f"(SELECT *, row_number() OVER () AS {identifier('evergreen row')} FROM {part})"
        picked = f"SELECT p.*, {', '.join(marks)} FROM {rows} p {' '.join(joins)}"
        return f"({picked} ORDER BY p.{identifier('evergreen row')})"

    def sql(self, rule: Rule) -> str:
        """A condition on the rows of `source` that is true for the slice's, and false for the others."""
        if rule.kind == "frequency":
            return identifier(self._mark(rule))
        if rule.kind == "values":
            return "(" + " OR ".join(_same(rule.columns, values) for values in rule.values) + ")"
        return range_sql(rule.columns[0], rule.low, rule.high)

    def _mark(self, rule: Rule) -> str:
        return f"{self._tables[rule]} mark"


def range_sql(column: str, low: float | None, high: float | None) -> str:
    """A condition that a finite number lies within bounds; false for a missing one."""
    value = f"{identifier(column)}::DOUBLE"
    bounds = [f"{value} >= {literal(float(low))}"] if low is not None else []
    bounds += [f"{value} <= {literal(float(high))}"] if high is not None else []
    return f"coalesce(isfinite({value}) AND {' AND '.join(bounds)}, FALSE)"


def _same(columns: Sequence[str], values: Sequence[str | None]) -> str:
    each = [
        f"{identifier(c)}::VARCHAR IS NOT DISTINCT FROM {literal(v)}"
        for c, v in zip(columns, values, strict=True)
    ]
    return f"({' AND '.join(each)})"
