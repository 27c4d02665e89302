"""An assessment of any table without a project, as `evergreen assess` makes it."""

from collections.abc import Sequence
from pathlib import Path

from evergreen.errors import DataError
from evergreen.files import write_text
from evergreen.profile.open import opened
from evergreen.project.model import LongTail
from evergreen.strategy.assess import assess_folder
from evergreen.strategy.model import Strategy
from evergreen.strategy.page import strategy_page
from evergreen.tables import columns, connect, read_meta, scan
from evergreen.tables.names import missing_column


def assess_file(
    path: Path, *, label: str | None = None, entity: Sequence[str] = (), report: Path | None = None,
    out: Path | None = None,
) -> Strategy:  # fmt: skip
    """Assess a table that a person names.

    Args:
        path: CSV, JSON lines, Parquet, a folder of them, or a training set, whose roles it takes.
        label: The column to predict.
        entity: Whom a row is about.
        report: The HTML page to write.
        out: Where `strategy.json` is written.

    Raises:
        DataError: when it is missing, empty or corrupt, or has no such column.
    """
    with opened(Path(path)) as table:
        meta = read_meta(path) if (Path(path) / "meta.json").is_file() else {}
        meta |= {"label": label} if label else {}
        meta |= {"entity": list(entity)} if entity else {}
        with connect() as con:
            types = columns(con, scan(table))
        for column, option in [(label, "--label"), *((e, "--entity") for e in entity)]:
            if column is not None and column not in types:
                raise missing_column(str(path), column, types, option)
        strategy = assess_folder(table, LongTail(), meta=meta)
    if not strategy.rows:
        raise DataError(str(path), "no rows", "at least one")
    if out is not None:
        strategy.write(out)
    if report is not None:
        write_text(report, strategy_page(strategy, Path(path).name))
    return strategy
