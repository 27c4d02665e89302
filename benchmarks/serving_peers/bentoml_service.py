"""BentoML: a service class with one array in and one out; `bentoml serve bentoml_service:Classifier`."""

import os

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1)
class Classifier:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["BENCH_MODEL"])

    @bentoml.api
    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(rows)
