"""Observe the traits of a table on a bounded, fixed sample of its rows."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa

from evergreen.profile.counting.reading import Reader, readers
from evergreen.profile.model import Profile
from evergreen.profile.source import Source
from evergreen.profile.traits.model import Tally, Traits, packed
from evergreen.profile.traits.pairs import chosen, codings, cooccurrence, distinct
from evergreen.profile.traits.tallies import tallies
from evergreen.project.model import Resources
from evergreen.tables import connect, explained, identifier

SAMPLE_ROWS = 50_000
# Longer texts are cut: their forms and flags are those of their beginning.
_CHARACTERS = 200
# So many rows' hashes are held to find repetitions.
_HASHED = 500_000


def observe(
    con: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[Reader], rows: int,
    like: Traits | None = None,
) -> Traits:  # fmt: skip
    """The traits of a relation: one pass that keeps about 50,000 rows; what is read grows with the table.

    Args:
        con: An open connection.
        relation: What can stand after FROM: a scan of Parquet.
        columns: Of the relation.
        rows: Of the relation.
        like: A baseline: its codes and periods are used, so that the two can be compared.
    """
    known = [r for r in columns if r.family != "other"]
    encoded = _sample(con, relation, known, [r.name for r in columns], rows) if known and rows else {}
    found: dict[str, tuple[Tally, ...]] = {}
    cut = []
    for reader in known if encoded else ():
        values, counts = distinct(encoded[reader.name])
        found[reader.name] = tallies(
            values, counts, reader.family, (like.tallies if like else {}).get(reader.name, ())
        )
        cut += codings(reader.name, encoded[reader.name], reader.family) if like is None else []
    if like is not None:
        families = {r.name: r.family for r in known if encoded}
        cut = [c for c in like.codings if _fits(c.edges, families.get(c.column, ""))]
    codes = chosen(cut)
    size = len(next(iter(encoded.values()))) if encoded else 0
    pairs = packed(cooccurrence(codes, encoded, size)) if codes else ""
    return Traits(size, found, codes, pairs, *_repeated(con, relation, columns, rows))


def row_hash(columns: Sequence[Reader]) -> str:
    """SQL for the hash of a whole row."""
    return f"hash({', '.join(r.raw for r in columns)})"


def _repeated(
    con: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[Reader], rows: int
) -> tuple[int, int]:
    """Rows looked at, and how many of them repeat another; chosen by content, so that twins stay together."""
    if not columns or not rows:
        return 0, 0
    below = f" WHERE h < {2**64 * _HASHED // rows}::UBIGINT" if rows > _HASHED else ""
    query = (
        f"SELECT count(*), count(DISTINCT h) FROM (SELECT {row_hash(columns)} AS h FROM {relation}){below}"
    )
    looked, different = con.execute(query).fetchall()[0]
    return int(looked), int(looked - different)


def _fits(edges: Sequence[float], family: str) -> bool:
    return family in ("number", "time") if edges else family in ("text", "boolean")


def _sample(
    con: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[Reader], names: Sequence[str], rows: int
) -> dict[str, pa.DictionaryArray]:
    shown = ", ".join(f"{_value(r)} AS c{i}" for i, r in enumerate(columns))
    # A cursor of its own: a result that another query left unread would be in the way.
    table = con.cursor().sql(f"SELECT {shown} FROM {sampled(relation, names, rows)}").to_arrow_table()
    found = {}
    for index, reader in enumerate(columns):
        whole = table.column(index).combine_chunks()
        array = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
        found[reader.name] = array.dictionary_encode()
    return found


def _value(reader: Reader) -> str:
    if reader.family in ("number", "time"):
        return reader.double
    return f"left({reader.value}, {_CHARACTERS})" if reader.family == "text" else reader.value


def sampled(relation: str, names: Sequence[str], rows: int, most: int = SAMPLE_ROWS) -> str:
    """SQL after FROM: about `most` rows of a scan, evenly spread by row number (a Weyl sequence)."""
    if rows <= most:
        return relation
    number = "file_row_number"
    if any(n.lower() == number for n in names):
        number = next(f"row {i}" for i in range(len(names) + 1) if f"row {i}" not in map(str.lower, names))
        relation = f"(SELECT *, row_number() OVER () AS {identifier(number)} FROM {relation})"
    return f"{relation} WHERE ({identifier(number)} * 2654435761) % 4294967296 < {2**32 * most // rows}"


def with_traits(
    profile: Profile, path: Path, *, like: Traits | None = None, resources: Resources | None = None
) -> Profile:
    """A profile with the traits of its table.

    Args:
        profile: Of the table, or of a shard of it.
        path: The table: Parquet, a folder of part files, or a training set.
        like: A baseline's traits, to be compared with.
        resources: Memory and threads.

    Raises:
        DataError: when the table cannot be read.
    """
    source = Source.of(path)
    with connect(resources) as con, explained(str(path)):
        columns = readers(con, source.relation)
        rows = con.execute(f"SELECT count(*) FROM {source.relation}").fetchall()[0][0]
        return replace(profile, traits=observe(con, source.relation, columns, int(rows), like))
