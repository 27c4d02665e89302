"""Tables and splits for the tests of selection."""

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from evergreen.modeling.splitting.split import split_training_set
from evergreen.project.model import Project

WEIRD = 'Größe "m²" select'


def project(**sections: Any) -> Project:
    base = {
        "name": "try",
        "sources": {"s": {"path": "s.parquet"}},
        "label": {"source": "s", "column": "y"},
        "features": [{"name": "plain", "source": "s", "columns": "*"}],
    }
    return Project.model_validate({**base, **sections})


def table(rows: int = 500, seed: int = 0) -> pd.DataFrame:
    """Three features that matter, copies of two of them, two of pure noise."""
    rng = np.random.default_rng(seed)
    found = pd.DataFrame(
        {
            "id": rng.permutation(rows),
            "strong": rng.normal(size=rows),
            WEIRD: rng.lognormal(3, 1, rows),
            "town": rng.choice(["north", "south", "east", None], rows),
            "noise": rng.normal(size=rows),
            "coin": rng.random(rows) < 0.5,
        }
    )
    found["strong in cm"] = found["strong"] * 2.54 + 10
    found["town code"] = found["town"].map({"north": 7.0, "south": 3.0, "east": 5.0})
    score = found["strong"] + np.log(found[WEIRD]) - 3 + 1.5 * (found["town"] == "north")
    found["y"] = np.where(score + rng.normal(size=rows) * 0.5 > 0.5, "yes", "no")
    return found


def write_splits(folder: Path, rows: pd.DataFrame, settings: Project | None = None, **meta: Any) -> Path:
    """The folder of `split_training_set`; what is no key, entity, time or label is a feature."""
    keys = {"entity": [], "time": None, "label": "y", "key": ["id"], **meta}
    apart = {*keys["entity"], *keys["key"], keys["time"], keys["label"]}
    features = [
        {"name": c, "group": "plain", "type": _type(rows[c]), "source": "s"} for c in rows if c not in apart
    ]
    training_set = folder / "training_set"
    (training_set / "data").mkdir(parents=True)
    duckdb.sql("SELECT * FROM rows").write_parquet(str(training_set / "data" / "part-00000.parquet"))
    about = {"name": "try", "rows": len(rows), "digest": "0" * 64, "version": 0, "features": features}
    (training_set / "meta.json").write_text(json.dumps({**about, "excluded": {}, **keys}))
    split_training_set(settings or project(), training_set, folder / "splits")
    return folder / "splits"


def _type(column: pd.Series) -> str:
    if column.dtype == bool:
        return "boolean"
    return "number" if column.dtype.kind in "iuf" else "category"
