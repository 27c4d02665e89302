"""The labels of several labellers, read from the source that the project names."""

from pathlib import Path

import duckdb

from evergreen.errors import DataError
from evergreen.ingest.needed import label_key
from evergreen.labels.agreement import Agreement, agreement
from evergreen.labels.rows import Rows
from evergreen.modeling.splitting.assign import hash_of
from evergreen.project.model import Project
from evergreen.tables import columns, identifier, kind, scan
from evergreen.tables.names import missing_column

MOST_ITEMS = 20_000


def labellers_agreement(
    con: duckdb.DuckDBPyConnection, project: Project, rows: Rows, tables: Path | None
) -> Agreement | None:
    """Measure the labellers' agreement on at most 20,000 items; None where the project names no labellers.

    Args:
        con: An open connection.
        project: The project; `gates.labels.labellers` says where the labels are.
        rows: The rows of the split; gives the seed's place and nothing else.
        tables: The folder of `ingest`.

    Raises:
        DataError: when the source or a column is not there, no labels overlap, or `interval` meets text.
    """
    asked = project.gates.labels.labellers
    if asked is None:
        return None
    where = "gates.labels.labellers"
    folder = None if tables is None else Path(tables) / asked.source
    if folder is None or not folder.is_dir():
        remedy = "Give the tables of ingest_data, and name the source in `sources`."
        raise DataError(where, f"there is no table of source {asked.source!r}", remedy=remedy)
    relation = scan(folder)
    types = columns(con, relation)
    item = list(asked.item or label_key(project) or project.entity)
    label = asked.label or project.label.column
    for column in [*item, asked.labeller, label]:
        if column not in types:
            raise missing_column(f"source {asked.source}", column, types, where)
    if not item:
        raise DataError(f"{where}.item", "missing", "the columns that name an item", "The label has no key.")
    if asked.scale == "interval" and kind(types[label]) not in ("number", "integer"):
        found = f"`interval`, but {label!r} holds {kind(types[label])} values"
        raise DataError(f"{where}.scale", found, "`nominal`")
    name = ", ".join(f"{identifier(c)}::VARCHAR" for c in item)
    value = f"{identifier(label)}::{'DOUBLE' if asked.scale == 'interval' else 'VARCHAR'}"
    present = f"{identifier(label)} IS NOT NULL AND {identifier(asked.labeller)} IS NOT NULL"
    hashed = hash_of(item, project.split.seed)
    query = f"""SELECT concat_ws(', ', {name}) AS item, {identifier(asked.labeller)}::VARCHAR AS labeller,
            {value} AS label
        FROM {relation} JOIN (
            SELECT h FROM (SELECT {hashed} AS h FROM {relation} WHERE {present})
            GROUP BY h HAVING count(*) > 1 ORDER BY h LIMIT {MOST_ITEMS}) AS chosen ON {hashed} = chosen.h
        WHERE {present} ORDER BY item, labeller, label"""
    measured = agreement(con.execute(query).df(), asked.scale, project.split.seed)
    if measured is None:
        raise DataError(
            f"source {asked.source}", "no item has labels of two labellers", "items that several labelled",
            "Correct `item`, or leave `labellers` out.",
        )  # fmt: skip
    return measured
