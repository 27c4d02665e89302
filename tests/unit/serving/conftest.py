"""Real bundles for the tests of the server and of batch prediction, made once."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from evergreen.bundle import Input, Signature, load_bundle, save_bundle
from evergreen.bundle.encode import encode_columns
from evergreen.bundle.save import Companions

ODD = 'in"come `x` 収'
INPUTS = (
    Input("age", "number"),
    Input(ODD, "number"),
    Input("city", "category", categories=("a", "b", "ü")),
    Input("vip", "boolean", required=False),
)
CLASSES = {"binary": ("no", "yes"), "multiclass": (1, 2, 3), "native": (False, True)}


def make_table(rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    age = rng.normal(40, 10, rows)
    age[::7] = np.nan
    city = rng.choice(np.array(["a", "b", "ü"], dtype=object), rows)
    return {"age": age, ODD: rng.normal(5, 1, rows), "city": city, "vip": rng.random(rows) < 0.3}


def make_bundle(folder: Path, kind: str) -> Path:
    table = make_table(600)
    score = np.nan_to_num(table["age"], nan=40) / 10 + table[ODD] + (table["city"] == "a")
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    transform = make_column_transformer((numbers, [0, 1, 3]), (OneHotEncoder(handle_unknown="ignore"), [2]))
    estimators = {"regression": LinearRegression(), "native": HistGradientBoostingClassifier(max_iter=10)}
    pipeline = make_pipeline(transform, estimators.get(kind, LogisticRegression()))
    classes = CLASSES.get(kind)
    label = (
        score
        if classes is None
        else np.digitize(score, np.quantile(score, np.arange(1, len(classes)) / len(classes)))
    )
    task = {"native": "binary"}.get(kind, kind)
    signature = Signature(
        task, INPUTS, classes, classes[-1] if task == "binary" else None, "buys", ("who",), "when"
    )
    arrays, _ = encode_columns(signature, table)
    pipeline.fit(pd.DataFrame(dict(enumerate(arrays))), label)
    save_bundle(folder, pipeline, signature, Companions("A test.", None, None, {}), table)
    return folder


@pytest.fixture(scope="session")
def bundles(tmp_path_factory):
    root = tmp_path_factory.mktemp("bundles")
    return {kind: make_bundle(root / kind, kind) for kind in ("binary", "multiclass", "regression", "native")}


@pytest.fixture(scope="session")
def bundle(bundles):
    return load_bundle(bundles["binary"], threads=1)


@pytest.fixture(scope="session")
def table():
    """Makes the columns of so many rows: `table(rows, seed)`."""
    return make_table
