"""Training sets for the tests of split, tuning and training."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import splits_world

from evergreen.project.model import Project

WEIRD = 'Größe "m²"'


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


def _roles(table: pd.DataFrame, meta: dict[str, Any]) -> dict[str, Any]:
    """The roles of the columns of `mixed`, those that are there."""
    keys = {"entity": ["user"], "time": "when", "key": ["id"], **meta}
    for name in ("entity", "key"):
        keys[name] = [c for c in keys[name] if c in table]
    keys["time"] = keys["time"] if keys["time"] in table else None
    return keys


def write_training_set(folder: Path, table: pd.DataFrame, **meta: Any) -> Path:
    return splits_world.write_training_set(folder, table, **_roles(table, meta))


def write_splits(folder: Path, table: pd.DataFrame, settings: Project | None = None, **meta: Any) -> Path:
    return splits_world.write_splits(folder, table, settings, **_roles(table, meta))


def parts(splits: Path) -> dict[str, pd.DataFrame]:
    return {p: pd.read_parquet(splits / f"{p}.parquet") for p in ("train", "validation", "test")}
