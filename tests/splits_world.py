"""Training sets and splits on the disk, as the components leave them, for the tests of what comes after."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from evergreen.modeling.splitting.split import split_training_set
from evergreen.project.model import Project


def project(**sections: Any) -> Project:
    """A project of one source `s` whose label is `y`; sections replace these."""
    base = {
        "name": "try",
        "sources": {"s": {"path": "s.parquet"}},
        "label": {"source": "s", "column": "y"},
        "features": [{"name": "plain", "source": "s", "columns": "*"}],
    }
    return Project.model_validate({**base, **sections})


def write_training_set(folder: Path, table: pd.DataFrame, **meta: Any) -> Path:
    """A training set as build_training_set leaves it; what is no key, entity, time or label is a feature."""
    key = ["id"] if "id" in table else []
    roles = {"entity": [], "time": None, "label": "y", "key": key, "excluded": {}, **meta}
    apart = {*roles["entity"], *roles["key"], roles["time"], roles["label"]}
    features = [
        {"name": c, "group": "plain", "type": _type(table[c]), "source": "s"} for c in table if c not in apart
    ]
    (folder / "data").mkdir(parents=True)
    rows = table  # DuckDB finds it by this name
    assert len(rows)
    duckdb.sql("SELECT * FROM rows").write_parquet(str(folder / "data" / "part-00000.parquet"))
    about = {"name": "try", "rows": len(table), "digest": "0" * 64, "version": 0, "features": features}
    (folder / "meta.json").write_text(json.dumps({**about, **roles}))
    return folder


def write_splits(folder: Path, table: pd.DataFrame, settings: Project | None = None, **meta: Any) -> Path:
    """The folder of `split_training_set`, beside the training set that it is made of."""
    training_set = write_training_set(folder / "training_set", table, **meta)
    split_training_set(settings or project(), training_set, folder / "splits")
    return folder / "splits"


def _type(column: pd.Series) -> str:
    if column.dtype == bool:
        return "boolean"
    return "number" if column.dtype.kind in "iuf" else "category"
