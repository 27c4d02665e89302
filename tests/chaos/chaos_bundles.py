"""Bundles of candidates: a good one, and bad ones of which each hurts users in a way of its own."""

import runpy
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from evergreen.bundle import Input, Signature, manifest, save_bundle
from evergreen.bundle.encode import encode_columns
from evergreen.bundle.save import Companions

HELP = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "serving" / "conftest.py"))
FEATURE = "loyalty"
ROW: dict[str, Any] = {"age": 30.0, HELP["ODD"]: 5.5, "city": "a", "vip": True, FEATURE: 1.5}
SILENT = "none"
Kind = Literal["good", "needy", "silent", "faulty"]


def make_bundle(folder: Path, kind: Kind, seed: int = 0) -> Path:
    """A bundle of the model `demo`.

    Args:
        folder: Where it is written.
        kind: `needy` requires FEATURE, which not every caller sends: without it the answer is 400. `silent`
            answers SILENT to half of the rows. `faulty` has a graph that fails on rows without FEATURE, which
            the parity gate would have found: the answer is 500.
        seed: Another one makes another bundle.
    """
    table = HELP["make_table"](600, seed)
    inputs, numbers = HELP["INPUTS"], [0, 1, 3]
    if kind in ("needy", "faulty"):
        table[FEATURE] = np.random.default_rng(seed).normal(1, 1, 600)
        inputs, numbers = (*inputs, Input(FEATURE, "number", required=kind == "needy")), [*numbers, 4]
    score = np.nan_to_num(table["age"], nan=40) / 10 + table[HELP["ODD"]] + (table["city"] == "a")
    classes = (SILENT if kind == "silent" else "no", "yes")
    signature = Signature("binary", inputs, classes, "yes", "buys", ("who",), "when")
    steps = make_pipeline(SimpleImputer(), StandardScaler())
    transform = make_column_transformer((steps, numbers), (OneHotEncoder(handle_unknown="ignore"), [2]))
    pipeline = make_pipeline(transform, LogisticRegression())
    arrays, _ = encode_columns(signature, table)
    pipeline.fit(pd.DataFrame(dict(enumerate(arrays))), (score > np.median(score)).astype(int))
    save_bundle(folder, pipeline, signature, Companions("A test.", None, None, {}), table)
    if kind == "faulty":
        _break(folder, place=len(inputs) - 1)
    return folder


def _break(folder: Path, place: int) -> None:
    """Have the graph look something up by an input: NaN as a number of a place lies outside of any table."""
    model = onnx.load(folder / "model.onnx")
    graph, helper = model.graph, onnx.helper
    (output,) = (o.name for o in graph.output if o.name == "probabilities")
    for node in graph.node:
        node.output[:] = ["sound" if name == output else name for name in node.output]
    graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(100, np.float32), "faulty_zeros"))
    graph.node.extend(
        [
            helper.make_node("Cast", [f"c{place}"], ["looked_up"], to=onnx.TensorProto.INT64),
            helper.make_node("Gather", ["faulty_zeros", "looked_up"], ["faulty_zero"]),
            helper.make_node("Add", ["sound", "faulty_zero"], [output]),
        ]
    )
    onnx.save(model, folder / "model.onnx")
    manifest.write(folder)
