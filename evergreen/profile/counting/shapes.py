"""How the texts of a column are written, counted over the fixed sample of its rows."""

import duckdb

from evergreen.profile.counting.reading import Reader
from evergreen.profile.model import Shapes
from evergreen.profile.parts import SHAPE_LENGTH

_LISTED = 20
# Shapes take regular expressions, a hundred times the work of anything else: a smaller sample of the rows.
SHAPED_ROWS = 20_000


def shape_sql(value: str) -> str:
    """SQL for the shape of a text; the same as `evergreen.profile.parts.shape`."""
    sql = f"left({value}, {SHAPE_LENGTH})"
    for pattern, mark in ((r"[\p{Lu}\p{Lt}]", "A"), (r"[\p{Ll}\p{Lm}\p{Lo}]", "a"), (r"\p{Nd}", "9")):
        sql = f"regexp_replace({sql}, '{pattern}', '{mark}', 'g')"
    for mark in "Aa9":
        sql = f"regexp_replace({sql}, '{mark}{{5,}}', '{mark}+', 'g')"
    return sql


def frequent_shapes(con: duckdb.DuckDBPyConnection, values: str) -> tuple[str, ...]:
    """The 20 most frequent shapes that occur twice; `values` is a query with the column `v`."""
    query = (
        f"SELECT {shape_sql('v')} AS s, count(*) AS n FROM ({values}) WHERE v IS NOT NULL "
        f"GROUP BY s HAVING n > 1 ORDER BY n DESC, s LIMIT {_LISTED}"
    )
    return tuple(s for s, _ in con.execute(query).fetchall())


def count_shapes(
    con: duckdb.DuckDBPyConnection, sample: str, reader: Reader, listed: tuple[str, ...]
) -> Shapes:
    """The rows of the sample with each of the listed shapes, the most frequent first."""
    query = (
        f"SELECT {shape_sql('v')} AS s, count(*) AS n FROM "
        f"(SELECT {reader.value} AS v FROM {sample}) WHERE v IS NOT NULL GROUP BY s"
    )
    wanted = dict.fromkeys(listed, 0)
    rows = 0
    cursor = con.execute(query)
    while batch := cursor.fetchmany(10_000):
        for found, n in batch:
            rows += n
            if found in wanted:
                wanted[found] = n
    items = tuple(sorted(wanted.items(), key=lambda item: (-item[1], item[0])))
    return Shapes(rows, items, rows - sum(wanted.values()))
