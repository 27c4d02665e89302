"""Conditions that a project file writes in SQL: one expression over a row, no query of its own."""

import json
import re
from collections.abc import Iterable

import duckdb

from evergreen.errors import DataError
from evergreen.tables.connection import first_sentence

_REMEDY = "Write a condition over the source's own columns, such as `quantity > 0`."


def check_condition(where: str, condition: str) -> None:
    """Check that a condition is one SQL expression without subqueries.

    Raises:
        DataError: with DuckDB's words when it cannot be parsed.
    """
    con = duckdb.connect()
    try:
        query = f"SELECT 1 FROM t WHERE (\n{condition}\n)"
        row = con.execute("SELECT json_serialize_sql(?)", [query]).fetchone()
    finally:
        con.close()
    tree = json.loads(row[0]) if row else {}
    if tree.get("error"):
        raise DataError(where, first_sentence(str(tree.get("error_message", ""))), "a condition", _REMEDY)
    statements = tree.get("statements", [])
    node = statements[0]["node"] if len(statements) == 1 else {}
    plain = node.get("type") == "SELECT_NODE" and node.get("from_table", {}).get("table_name") == "t"
    if not plain or node.get("modifiers") or "SUBQUERY" in set(_classes(node)):
        raise DataError(where, "more than a condition", "one expression, no query inside it", _REMEDY)


def _classes(node: object) -> Iterable[str]:
    if isinstance(node, dict):
        if isinstance(node.get("class"), str):
            yield node["class"]
        for value in node.values():
            yield from _classes(value)
    elif isinstance(node, list):
        for value in node:
            yield from _classes(value)


def mentions(condition: str, column: str) -> bool:
    """Whether a condition may speak of a column: it stands there as a word, quoted or not."""
    return re.search(rf"(?<!\w){re.escape(column)}(?!\w)", condition, re.IGNORECASE) is not None
