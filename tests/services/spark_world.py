"""Tables with every type and every trouble, built on both engines and compared."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from evergreen.errors import InputError
from evergreen.history.build import build_training_set
from evergreen.ingest.manifest import Ingested, SourceTable, write_manifest
from evergreen.project.model import Project
from evergreen.tables.sql import identifier

TYPES = {
    "i8": "TINYINT",
    "i16": "SMALLINT",
    "i32": "INTEGER",
    "i64": "BIGINT",
    "u8": "UTINYINT",
    "u16": "USMALLINT",
    "u32": "UINTEGER",
    "u64": "UBIGINT",
    "f32": "FLOAT",
    "f64": "DOUBLE",
    "money": "DECIMAL(18, 3)",
    "wide": "DECIMAL(38, 10)",
    "yes": "BOOLEAN",
    'text "quoted"': "VARCHAR",
    "naïve Größe, 数": "VARCHAR",
    "raw": "BLOB",
    "day": "DATE",
    "at": "TIMESTAMP",
    "at_s": "TIMESTAMP_S",
    "at_ms": "TIMESTAMP_MS",
    "at_ns": "TIMESTAMP_NS",
    "at_tz": "TIMESTAMPTZ",
    "clock": "TIME",
    "id": "UUID",
    "span": "INTERVAL",
    "list": "VARCHAR[]",
    "pair": "STRUCT(a VARCHAR, b INTEGER)[]",
    "dict": "MAP(VARCHAR, DOUBLE)",
}
ROWS = [
    "(-128, -32768, -2147483648, -9223372036854775808, 255, 65535, 4294967295, 18446744073709551615, "
    "0.1::FLOAT, 'nan'::DOUBLE, 123456789012345.678, 1234567890123456789012345678.0123456789, true, "
    "'it''s \"so\"', "
    "'ÄÖ 😀 \\ % _', '\\xFF\\x00'::BLOB, '1582-10-04', '1500-03-01 00:00:00.000001', '1969-12-31 23:59:59', "
    "'2024-02-29 12:00:00.123', '2024-02-29 12:00:00.123456789', '2024-03-31 02:30:00+02', "
    "'23:59:59.999999', "
    "'ffffffff-0000-4000-8000-000000000000', '1 year 2 days 3 microseconds', "
    "['a, b', NULL, '', 'NULL', 'it''s \"q\" \\'], "
    "[{a: '{x}', b: NULL}], MAP {'k=\"': 0.1::DOUBLE, 'é': 'inf'::DOUBLE})",
    "(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
    "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "(1, 1, 1, 9007199254740993, 1, 1, 1, 9007199254740993, "
    "'-0.0'::FLOAT, '-0.0'::DOUBLE, -0.001, -0.0000000001, false, '', "
    "' ', ''::BLOB, '9999-12-31', '9999-12-31 23:59:59.999999', '2000-01-01', '2000-01-01', '1900-01-01', "
    "'1900-01-01 00:00:00+00', '00:00:00', '00000000-0000-4000-8000-000000000001', '1 month', "
    "[], [], MAP {})",
    "(2, 2, 2, 2, 2, 2, 2, 2, "
    "'inf'::FLOAT, '-inf'::DOUBLE, 2.5, 2.5, false, 'NULL', 'x', 'x'::BLOB, '2024-01-01', "
    "'2024-01-01', '2024-01-01', '2024-01-01', '2024-01-01', '2024-01-01 00:00:00+00', '12:00:00', "
    "'00000000-0000-4000-8000-000000000002', '0 seconds', ['x'], NULL, MAP {'a': NULL})",
]


def write_sources(folder: Path, tables: Mapping[str, str]) -> Path:
    """Write queries over one another as `ingest` writes tables, in order, and a manifest that names them."""
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    sources = {}
    for name, query in tables.items():
        (folder / name).mkdir(parents=True)
        con.execute(f'CREATE TABLE "{name}" AS {query}')
        con.execute(f"COPY \"{name}\" TO '{folder / name / 'part-00000.parquet'}' (FORMAT parquet)")
        rows = con.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0]
        sources[name] = SourceTable((), "parquet", rows, 0, "", None, {})
    con.close()
    write_manifest(folder, Ingested(sources, "2030-01-01T00:00:00"))
    return folder


def write_tables(folder: Path, tables: Mapping[str, pa.Table]) -> Path:
    """Write Arrow tables as `ingest` writes tables, each in two files, and a manifest that names them."""
    sources = {}
    for name, table in tables.items():
        (folder / name).mkdir(parents=True)
        half = table.num_rows // 2
        for part, piece in enumerate((table.slice(0, half), table.slice(half))):
            pq.write_table(piece, folder / name / f"part-{part:05d}.parquet")
        sources[name] = SourceTable((), "parquet", table.num_rows, 0, "", None, {})
    write_manifest(folder, Ingested(sources, "2030-01-01T00:00:00"))
    return folder


def typed_table(extra: str) -> str:
    """A query with every type: four rows, and `extra` items of SELECT that may use `n`, 0 to 3."""
    items = ", ".join(f"CAST(v{i} AS {t}) AS {identifier(c)}" for i, (c, t) in enumerate(TYPES.items()))
    columns = ", ".join(["n", *(f"v{i}" for i in range(len(TYPES)))])
    rows = ", ".join(f"({n}, {row[1:]}" for n, row in enumerate(ROWS))
    return f"SELECT {items}, {extra} FROM (VALUES {rows}) AS t({columns})"


def project_of(**sections: Any) -> Project:
    """A project with small resources; sections as in the project file."""
    # These tables are so small that compiling for them would take longer than reading them.
    quick = {"conf": {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1"}}
    base = {"name": "test", "resources": {"memory": "1GiB", "threads": 2}, "spark": quick}
    return Project.model_validate({**base, **sections})


def both(project: Project, tables: Path, purpose: str = "train") -> tuple[Any, Any]:
    """What each engine makes of it: its description with schema and rows, or the error's words."""
    return tuple(
        _built(project.model_copy(update={"engine": e}), tables, purpose) for e in ("duckdb", "spark")
    )


def _built(project: Project, tables: Path, purpose: str) -> Any:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "training_set"
        try:
            built = build_training_set(project, tables, folder, purpose=purpose)
        except InputError as error:
            return {"error": str(error)}
        meta = json.loads((folder / "meta.json").read_text())
        assert meta.pop("engine") == project.engine
        con = duckdb.connect()
        found = con.sql(f"SELECT * FROM read_parquet('{folder}/data/part-*.parquet')")
        types = dict(zip(found.columns, map(str, found.types), strict=True))
        return {
            "meta": meta,
            "alerts": built.alerts,
            "types": types,
            "rows": [str(r) for r in found.fetchall()],
        }
