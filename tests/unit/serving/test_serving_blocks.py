"""Models of numbers alone: one block of columns gives what the columns one by one give, by every way in."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from asking import Asker, app_of
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline

from evergreen.bundle import Input, Signature, load_bundle, save_bundle
from evergreen.bundle.save import Companions

NAMES = ("a", "b", "c")
CASES = {
    "binary": (LogisticRegression(), ("no", "yes"), "auto"),
    "no probabilities": (RidgeClassifier(), (1, 2), "auto"),
    "regression": (LinearRegression(), None, "auto"),
    "native": (LogisticRegression(), (0, 1, 2), "native"),
}


@pytest.fixture(scope="module", params=CASES)
def folder_and_engine(request, tmp_path_factory):
    estimator, classes, engine = CASES[request.param]
    rng = np.random.default_rng(3)
    table = rng.normal(size=(300, 3))
    score = table.sum(axis=1)
    label = score if classes is None else np.digitize(score, np.linspace(-1, 1, len(classes) + 1)[1:-1])
    fitted = make_pipeline(SimpleImputer(), estimator).fit(pd.DataFrame(table), label)
    task = "regression" if classes is None else "multiclass" if len(classes) > 2 else "binary"
    positive = classes[-1] if task == "binary" else None
    signature = Signature(task, tuple(Input(n, "number") for n in NAMES), classes, positive)
    folder = tmp_path_factory.mktemp("numbers") / "bundle"
    columns = {name: table[:, k] for k, name in enumerate(NAMES)}
    save_bundle(folder, fitted, signature, Companions("A test.", None, None, {}), columns)
    return folder, engine


def test_a_block_is_predicted_as_its_columns_are(folder_and_engine):
    folder, engine = folder_and_engine
    bundle = load_bundle(folder, engine=engine, threads=1)
    block = np.random.default_rng(4).normal(size=(3, 20))
    block[1, ::3] = np.nan

    def check(part: np.ndarray) -> None:
        got, expected = bundle.run_block(part), bundle.run(list(part), part.shape[1])
        assert got.values.tolist() == expected.values.tolist()
        assert got.values.dtype == expected.values.dtype
        if expected.probabilities is not None:
            np.testing.assert_array_equal(got.probabilities, expected.probabilities)

    check(block)
    singles = [block[:, k : k + 1] for k in range(20)]
    with ThreadPoolExecutor(4) as pool:  # the single row's inputs stay bound: threads must not mix them
        list(pool.map(check, singles * 5))


def test_rows_tensors_and_tables_have_the_same_answers(folder_and_engine):
    folder, _ = folder_and_engine
    asker = Asker(app_of(folder))
    table = np.random.default_rng(5).normal(size=(4, 3)).round(3)
    for rows in (table[:1], table):
        n = len(rows)
        by_row = asker.rows(*[dict(zip(NAMES, row.tolist(), strict=True)) for row in rows]).json
        columns = [
            {"name": name, "shape": [n], "datatype": "FP64", "data": rows[:, k].tolist()}
            for k, name in enumerate(NAMES)
        ]
        whole = {"name": "input-0", "shape": [n, 3], "datatype": "FP64", "data": rows.tolist()}
        answers = [asker.infer({"inputs": inputs}).json["outputs"] for inputs in (columns, [whole])]
        assert answers[0] == answers[1]
        values = [p["prediction"] for p in by_row["predictions"]]
        assert answers[0][0]["data"] == values
