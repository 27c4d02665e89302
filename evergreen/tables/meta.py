"""`meta.json` beside a table's Parquet: what its columns mean."""

import json
from pathlib import Path
from typing import Any

from evergreen.errors import DataError
from evergreen.files import write_text


def write_meta(folder: Path, meta: dict[str, Any], name: str = "meta.json") -> None:
    """Write a table's description as JSON (UTF-8), whole or not at all."""
    write_text(Path(folder) / name, json.dumps(meta, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_meta(folder: Path, name: str = "meta.json") -> dict[str, Any]:
    """Read what `write_meta` wrote.

    Raises:
        DataError: when the file is missing or is not JSON.
    """
    path = Path(folder) / name
    try:
        meta: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            str(folder), f"it holds no {name}", remedy="Run the step that makes it again."
        ) from None
    except ValueError as error:
        raise DataError(
            str(path), f"not JSON ({error})", remedy="Run the step that makes it again."
        ) from error
    return meta
