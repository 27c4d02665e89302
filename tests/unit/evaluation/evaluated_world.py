"""Small worlds for the evaluation's tests: a training set with known signal, split and trained for real."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from evergreen.modeling.splitting.split import split_training_set
from evergreen.modeling.training.train import train
from evergreen.project import parse_project
from evergreen.project.model import Project
from evergreen.tables import write_meta

PROJECT = """
name: world
sources:
  rows:
    path: rows.parquet
label:
  source: rows
  column: "the label"
features:
  - name: all
    source: rows
    columns: "*"
split:
  method: {method}
{more}
"""


@dataclass(frozen=True)
class World:
    """A project with its splits and a model on disk."""

    project: Project
    splits: Path
    model: Path


def table(rows: int, seed: int = 0, repeat: int = 1) -> pd.DataFrame:
    """Two numbers and a category with signal; `who` names an entity of `repeat` rows, columns are awkward."""
    rng = np.random.default_rng(seed)
    entity = np.repeat(np.arange(-(-rows // repeat)), repeat)[:rows]
    strength = rng.normal(size=entity.max() + 1)[entity]
    frame = pd.DataFrame(
        {
            "who": [f"e{e}" for e in entity],
            'a "number"': strength + rng.normal(size=rows) * 0.7,
            "select": rng.normal(size=rows),
            "Größe": rng.choice(["klein", "mittel", "groß"], rows, p=[0.6, 0.3, 0.1]),
        }
    )
    frame.loc[frame.index % 17 == 0, "select"] = np.nan
    frame["z"] = strength + (frame["Größe"] == "groß") * 1.5 + rng.normal(size=rows) * 0.5
    return frame


def labelled(frame: pd.DataFrame, label: Any) -> pd.DataFrame:
    """The table with its label instead of the hidden strength."""
    return frame.drop(columns="z").assign(**{"the label": label})


def binary(rows: int = 3000, repeat: int = 1) -> pd.DataFrame:
    """About a quarter of the rows are `yes`."""
    frame = table(rows, repeat=repeat)
    return labelled(frame, np.where(frame["z"] > 0.9, "yes", "no"))


def make_world(folder: Path, frame: pd.DataFrame, more: str = "", method: str = "stratified") -> World:
    """Write a training set, split it, train a model (a linear one unless `more` names another)."""
    folder.mkdir(parents=True, exist_ok=True)
    if "model:" not in more:
        number = frame["the label"].dtype.kind == "f"
        estimator = "Ridge" if number else "LogisticRegression"
        more += f"\nmodel: {{estimator: sklearn.linear_model.{estimator}}}"
    project = parse_project(PROJECT.format(method=method, more=more))
    training_set = folder / "training_set"
    (training_set / "data").mkdir(parents=True)
    duckdb.sql("SELECT * FROM frame").write_parquet(str(training_set / "data" / "part-0.parquet"))
    features = [
        {
            "name": c,
            "group": "all",
            "type": "category" if frame[c].dtype.kind not in "if" else "number",
            "source": "rows",
        }
        for c in frame.columns
        if c not in ("who", "the label", "query")
    ]
    meta = {"name": "world", "purpose": "train", "rows": len(frame), "digest": "d", "version": 0, "uri": ""}
    roles = {"entity": ["who"], "time": None, "label": "the label", "key": []}
    write_meta(training_set, {**meta, **roles, "features": features, "excluded": {}})
    split_training_set(project, training_set, folder / "splits")
    train(project, folder / "splits", folder / "model")
    return World(project, folder / "splits", folder / "model")
