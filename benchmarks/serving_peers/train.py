"""Fit the benchmark's two pipelines and save each with joblib; runs in a peer's own environment.

    python train.py data.npz FOLDER

Writes FOLDER/logistic/model.joblib and FOLDER/forest/model.joblib, the file name that MLServer looks for, and
FOLDER/expected.json: each model's probabilities for the probe rows, which the server must then answer with.
"""

import json
import sys
from pathlib import Path

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main(data: Path, folder: Path) -> None:
    table = np.load(data)
    estimators = {
        "logistic": LogisticRegression(),
        "forest": RandomForestClassifier(100, max_depth=8, random_state=17),
    }
    expected = {}
    for name, estimator in estimators.items():
        fitted = make_pipeline(SimpleImputer(), StandardScaler(), estimator)
        fitted.fit(table["rows"], table["labels"])
        (folder / name).mkdir(parents=True)
        joblib.dump(fitted, folder / name / "model.joblib")
        expected[name] = fitted.predict_proba(table["probes"])[:, 1].tolist()
    (folder / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
