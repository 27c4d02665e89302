"""Small models on mixed data, saved as bundles."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from evergreen.bundle import BundleInfo, Input, Signature, save_bundle
from evergreen.bundle.encode import encode_columns
from evergreen.bundle.save import Companions

NUMBERS, CATEGORIES = [0, 1, 2], [3, 4]
INPUTS = (
    Input("a b", "number", required=False),
    Input('Größe "m²"', "number"),
    Input("flag", "boolean"),
    Input("select", "category", required=False, categories=("x", "y", "zü")),
    Input("c,d", "category"),
)


def frame(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "a b": rng.normal(size=rows),
            'Größe "m²"': rng.normal(size=rows),
            "flag": rng.random(rows) < 0.3,
            "select": rng.choice(["x", "y", "zü", None], rows),
            "c,d": rng.choice([f"k{k}" for k in range(30)], rows),
        }
    )
    table.loc[::7, "a b"] = np.nan
    return table


def score_of(table: pd.DataFrame) -> np.ndarray:
    return np.asarray(table['Größe "m²"'] + (table["select"] == "x") + table["flag"])


def signature(**changes: Any) -> Signature:
    fields: dict[str, Any] = {"task": "binary", "inputs": INPUTS, "classes": ("no", "yes"), "positive": "yes"}
    return Signature(**{**fields, "label": "y", **changes})


def coded(estimator: Any) -> Pipeline:
    """Numbers as they are, categories as codes; for histogram boosting."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=20)
    parts = [("numbers", "passthrough", NUMBERS), ("categories", codes, CATEGORIES)]
    return Pipeline([("prepare", ColumnTransformer(parts)), ("model", estimator)])


def one_hot(estimator: Any, **encoding: Any) -> Pipeline:
    """Numbers imputed and scaled, categories as one column a value."""
    chosen = {
        "handle_unknown": "infrequent_if_exist",
        "max_categories": 12,
        "sparse_output": False,
        **encoding,
    }
    numbers = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    parts = [
        ("numbers", numbers, NUMBERS),
        ("missing", MissingIndicator(features="all", error_on_new=False), [0]),
        ("categories", OneHotEncoder(**chosen), CATEGORIES),
    ]
    return Pipeline([("prepare", ColumnTransformer(parts)), ("model", estimator)])


def fitted(pipeline: Pipeline, made: Signature, table: pd.DataFrame) -> Pipeline:
    arrays, _ = encode_columns(made, table)
    score = score_of(table)
    target = score if made.classes is None else np.digitize(score, np.linspace(0.5, 2, len(made.classes) - 1))
    return pipeline.fit(pd.DataFrame(dict(enumerate(arrays))), target)


def save(folder: Path, pipeline: Pipeline | None = None, made: Signature | None = None) -> BundleInfo:
    made, table = made or signature(), frame()
    model = fitted(pipeline or one_hot(LogisticRegression()), made, table)
    companions = Companions("# Card", '{"rows": 400}\n', "columns: {}\n", {"seed": 17})
    return save_bundle(folder, model, made, companions, table)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.astype(object).where(table.notna(), None).to_dict("records")
