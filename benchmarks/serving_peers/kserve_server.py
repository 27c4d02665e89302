"""KServe's Python server with a model class of its own, for its scikit-learn server is not on PyPI."""

import os

import joblib
from kserve import InferRequest, InferResponse, Model, ModelServer, model_server
from kserve.utils.utils import get_predict_input, get_predict_response


class Classifier(Model):
    def load(self) -> bool:
        self.model = joblib.load(os.environ["BENCH_MODEL"])
        self.ready = True
        return self.ready

    def predict(self, payload: InferRequest, headers: dict | None = None) -> InferResponse:
        rows = get_predict_input(payload)
        return get_predict_response(payload, self.model.predict_proba(rows), self.name)


if __name__ == "__main__":
    given = model_server.parser.parse_args()
    model = Classifier("bench")
    model.load()
    ModelServer(workers=1).start([model])
