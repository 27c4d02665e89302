"""Training sets and projects for the tests of split, tuning and training."""

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from evergreen.modeling.splitting.split import split_training_set
from evergreen.project.model import Project

WEIRD = 'Größe "m²"'


def project(**sections: Any) -> Project:
    base = {
        "name": "try",
        "sources": {"s": {"path": "s.parquet"}},
        "label": {"source": "s", "column": "y"},
        "features": [{"name": "plain", "source": "s", "columns": "*"}],
    }
    return Project.model_validate({**base, **sections})


def mixed(rows: int = 600, seed: int = 0) -> pd.DataFrame:
    """Numbers, a boolean and text, with missing values; the label depends on most of them."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "id": np.arange(rows),
            "user": rng.integers(0, rows // 6, rows),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 60, rows), unit="D"),
            "a": rng.normal(size=rows),
            WEIRD: np.round(rng.lognormal(3, 1, rows), 2),
            "select": rng.choice(["north", "south", "east", None], rows),
            "garden": rng.random(rows) < 0.4,
        }
    )
    score = table["a"] + (table["select"] == "north") + table["garden"] + rng.normal(size=rows) * 0.4
    table["y"] = np.where(score > 0.9, "yes", "no")
    table.loc[::9, "a"] = np.nan
    return table


def write_training_set(folder: Path, table: pd.DataFrame, **meta: Any) -> Path:
    """A training set as build_training_set leaves it; what is no key, entity, time or label is a feature."""
    keys = {"entity": ["user"], "time": "when", "label": "y", "key": ["id"], **meta}
    for name in ("entity", "key"):
        keys[name] = [c for c in keys[name] if c in table]
    keys["time"] = keys["time"] if keys["time"] in table else None
    apart = {*keys["entity"], *keys["key"], keys["time"], keys["label"]}
    features = [
        {"name": c, "group": "plain", "type": _type(table[c]), "source": "s"} for c in table if c not in apart
    ]
    (folder / "data").mkdir(parents=True)
    rows = table  # DuckDB finds it by this name
    assert len(rows)
    duckdb.sql("SELECT * FROM rows").write_parquet(str(folder / "data" / "part-00000.parquet"))
    about = {"name": "try", "rows": len(table), "digest": "0" * 64, "version": 0, "features": features}
    (folder / "meta.json").write_text(json.dumps({**about, "excluded": {}, **keys}))
    return folder


def _type(column: pd.Series) -> str:
    if column.dtype == bool:
        return "boolean"
    return "number" if column.dtype.kind in "iuf" else "category"


def write_splits(folder: Path, table: pd.DataFrame, settings: Project | None = None, **meta: Any) -> Path:
    """The folder of `split_training_set`."""
    training_set = write_training_set(folder / "training_set", table, **meta)
    split_training_set(settings or project(), training_set, folder / "splits")
    return folder / "splits"


def parts(splits: Path) -> dict[str, pd.DataFrame]:
    return {p: pd.read_parquet(splits / f"{p}.parquet") for p in ("train", "validation", "test")}
