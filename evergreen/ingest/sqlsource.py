"""Run a project's own SQL over its other sources: one SELECT, and no way out to files or the network."""

from pathlib import Path

import duckdb

from evergreen.errors import DataError
from evergreen.ingest.needed import sql_references
from evergreen.ingest.stage import Staged
from evergreen.project.model import Project, Resources
from evergreen.tables.connection import connect, translate
from evergreen.tables.parquet import escaped, parts, scan, write_query
from evergreen.tables.sql import identifier, literal


def stage_query(project: Project, name: str, tables: Path, scratch: Path) -> Staged:
    """Write the rows of a SQL source as Parquet, sorted by all columns.

    It runs on one thread: sums of floating-point numbers depend on the order of their terms, and the same
    input must give the same digest.

    Args:
        project: The project.
        name: The source.
        tables: The folder that holds the sources it reads.
        scratch: A local folder.

    Raises:
        DataError: with DuckDB's words when the query fails, or reaches for files.
    """
    sql = project.sources[name].sql or ""
    where = f"sources.{name}.sql"
    target = scratch / "00000.parquet"
    resources = Resources(memory=project.resources.memory, threads=1)
    with connect(resources) as con:
        read = {source: tables / source for source in sql_references(name, sql, project.sources)}
        for source, folder in read.items():
            con.execute(f"CREATE VIEW {identifier(source)} AS SELECT * FROM {scan(folder)}")
        lock(con, [part for folder in read.values() for part in parts(folder)], [scratch])
        try:
            con.execute(f"CREATE VIEW evergreen_query AS ({sql.rstrip().rstrip(';')}\n)")
            write_query(con, "SELECT * FROM evergreen_query ORDER BY ALL", target, where=where)
        except duckdb.PermissionException as error:
            remedy = "Read only the project's own sources, by their names."
            raise DataError(where, "it reaches for a file or for the network", remedy=remedy) from error
        except duckdb.Error as error:
            raise translate(error, where, _columns_hint(error)) from error
    return Staged("", target, "sql", 0)


def lock(con: duckdb.DuckDBPyConnection, readable: list[Path], writable: list[Path]) -> None:
    """Keep a connection from every file but these, from the network, and from changing its settings.

    Args:
        con: The connection that will run SQL of a project file.
        readable: Files.
        writable: Folders, to read and write.
    """
    # DuckDB compares a path as it stands in the query, with its signs escaped, and as it is found.
    allowed = {text for p in readable for text in (str(p), str(p.resolve()), escaped(str(p)))}
    con.execute(f"SET allowed_paths = {literal(sorted(allowed))}")
    folders = {f"{text}/" for p in writable for text in (str(p), str(p.resolve()), escaped(str(p)))}
    con.execute(f"SET allowed_directories = {literal(sorted(folders))}")
    con.execute("SET python_enable_replacements = false")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def _columns_hint(error: duckdb.Error) -> str:
    if isinstance(error, duckdb.CatalogException | duckdb.BinderException):
        return "Sources are read by their names in the project file, columns by theirs."
    return ""
