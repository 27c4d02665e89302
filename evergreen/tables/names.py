"""Names of columns and sources in errors: which there are, which was meant, which stand twice."""

from collections.abc import Iterable, Sequence

from evergreen.errors import DataError
from evergreen.near import did_you_mean


def missing_column(where: str, column: str, known: Iterable[str], field: str = "") -> DataError:
    """The error for a column that a table does not have; `field` is where the project names it."""
    known = list(known)
    asked = f" ({field} names it)" if field else ""
    return DataError(
        where, f"no column {column!r}{asked}", f"one of {listed(known)}", did_you_mean(column, known)
    )


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names for an error's text, the first dozen."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def check_names(where: str, names: Sequence[str]) -> None:
    """Check that a table's column names differ by more than their case: DuckDB does not tell such apart.

    Raises:
        DataError: for the first two that do not.
    """
    first: dict[str, str] = {}
    for name in names:
        twin = first.setdefault(name.casefold(), name)
        if twin != name:
            found = f"columns {twin!r} and {name!r}"
            raise DataError(where, found, "names that differ by more than their case", "Rename one of them.")
        if names.count(name) > 1:
            raise DataError(where, f"column {name!r} twice", "each name once", "Rename one of them.")
