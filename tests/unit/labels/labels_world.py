"""Splits with labels that are right, and with labels that are wrong in ways a test knows."""

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from sklearn import datasets

from evergreen.modeling.splitting.split import split_training_set
from evergreen.project.model import Project


def project(**sections: Any) -> Project:
    base = {
        "name": "try",
        "sources": {"s": {"path": "s.parquet"}},
        "label": {"source": "s", "column": "y"},
        "features": [{"name": "plain", "source": "s", "columns": "*"}],
    }
    return Project.model_validate({**base, **sections})


def load(name: str) -> pd.DataFrame:
    """A set of scikit-learn with text labels in `y` and a key in `id`."""
    found = getattr(datasets, f"load_{name}")(as_frame=True)
    table = found.data.copy()
    table["y"] = [str(found.target_names[k]) for k in found.target] if name != "diabetes" else found.target
    table["id"] = np.arange(len(table))
    return table


def flipped(table: pd.DataFrame, share: float, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """The table with a share of its labels replaced by another class; and the ids of those rows."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(table))[: round(share * len(table))]
    classes = sorted(table["y"].unique())
    wrong = table.copy()
    for row in rows:
        others = [c for c in classes if c != table["y"].iloc[row]]
        wrong.loc[wrong.index[row], "y"] = others[rng.integers(0, len(others))]
    return wrong, table["id"].to_numpy()[rows]


def write_splits(folder: Path, table: pd.DataFrame, settings: Project | None = None, **meta: Any) -> Path:
    """The folder of `split_training_set`; what is no key and no label is a feature."""
    about = {"entity": [], "time": None, "label": "y", "key": ["id"] if "id" in table else [], "excluded": {}}
    about |= meta
    apart = {*about["entity"], *about["key"], about["time"], about["label"]}
    features = [
        {"name": c, "group": "plain", "type": _type(table[c]), "source": "s"} for c in table if c not in apart
    ]
    data = folder / "training_set" / "data"
    data.mkdir(parents=True)
    rows = table  # DuckDB finds it by this name
    assert len(rows)
    duckdb.sql("SELECT * FROM rows").write_parquet(str(data / "part-00000.parquet"))
    about |= {"name": "try", "rows": len(table), "digest": "0" * 64, "version": 0, "features": features}
    (data.parent / "meta.json").write_text(json.dumps(about))
    split_training_set(settings or project(), data.parent, folder / "splits")
    return folder / "splits"


def _type(column: pd.Series) -> str:
    if column.dtype == bool:
        return "boolean"
    return "number" if column.dtype.kind in "iuf" else "category"
