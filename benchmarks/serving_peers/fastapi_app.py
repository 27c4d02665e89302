"""FastAPI: a Pydantic model of the row, the handler on the event loop; `uvicorn fastapi_app:app`."""

import os

import joblib
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

model = joblib.load(os.environ["BENCH_MODEL"])
app = FastAPI()


class Row(BaseModel):
    f0: float
    f1: float
    f2: float
    f3: float
    f4: float
    f5: float
    f6: float
    f7: float
    f8: float
    f9: float


class Answer(BaseModel):
    probability: float


@app.post("/predict")
async def predict(row: Row) -> Answer:
    values = np.array([[getattr(row, name) for name in Row.model_fields]])
    return Answer(probability=model.predict_proba(values)[0, 1])


@app.get("/ready")
async def ready() -> dict[str, bool]:
    return {"ready": True}
