"""Training: a bundle that repeats, a card that tells, errors that name the field."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from splits_world import project
from training_world import WEIRD, mixed, parts, write_splits

from evergreen.bundle import load_bundle
from evergreen.errors import InputError
from evergreen.modeling.training.page import training_page
from evergreen.modeling.training.train import train
from evergreen.modeling.tuning.study import Study, Trial, write_study
from evergreen.project import dump_project

BUNDLED = {
    "breast_cancer": (load_breast_cancer, "binary", 0.9),
    "iris": (load_iris, "multiclass", 0.8),
    "wine": (load_wine, "multiclass", 0.85),
}


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    return write_splits(tmp_path_factory.mktemp("train"), mixed(1200))


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_classes(tmp_path, name):
    load, task, least = BUNDLED[name]
    data = load(as_frame=True)
    table = data.frame.drop(columns="target").assign(
        id=range(len(data.frame)), y=data.target_names[data.target]
    )
    splits = write_splits(tmp_path, table)
    trained = train(project(), splits, tmp_path / "model")
    bundle, test = load_bundle(tmp_path / "model"), parts(splits)["test"]
    assert trained.target.task == bundle.signature.task == task and bundle.engine == "onnx"
    assert (bundle.predict(test).values == test["y"]).mean() > least


@pytest.mark.slow
def test_a_regression(tmp_path):
    data = load_diabetes(as_frame=True).frame.rename(columns={"target": "y"})
    splits = write_splits(tmp_path, data.assign(id=range(len(data))))
    train(project(), splits, tmp_path / "model")
    bundle, test = load_bundle(tmp_path / "model"), parts(splits)["test"]
    error = np.abs(bundle.predict(test).values - test["y"])
    assert bundle.signature.task == "regression" and bundle.signature.classes is None
    assert error.mean() < np.abs(test["y"] - test["y"].mean()).mean() * 0.9


@pytest.mark.slow
def test_mixed_data_with_weird_names_missing_and_unseen_values(splits, tmp_path):
    train(project(label={"source": "s", "column": "y", "positive": "no"}), splits, tmp_path / "m")
    bundle, test = load_bundle(tmp_path / "m"), parts(splits)["test"]
    assert bundle.signature.positive == "yes"  # the split decided
    prediction = bundle.predict(test)
    assert (prediction.values == test["y"]).mean() > 0.75
    row = {"a": None, WEIRD: 3, "select": "never seen", "garden": True}
    assert bundle.predict_rows([row]).probabilities.sum() == pytest.approx(1)
    assert [i.name for i in bundle.signature.inputs] == ["a", WEIRD, "select", "garden"]
    assert bundle.signature.entity == ("user",) and bundle.signature.time == "when"


REPEATED = {
    "auto": {},
    "logistic": {"estimator": "sklearn.linear_model.LogisticRegression"},
    "forest": {"estimator": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 10}},
    "network": {"estimator": "sklearn.neural_network.MLPClassifier", "params": {"max_iter": 30}},
}


@pytest.mark.slow
def test_the_digest_repeats_in_other_processes(splits, tmp_path):
    """Other hash seeds, other numbers of threads, another folder: the same bytes."""
    code = "\n".join(
        [
            "import sys, json, warnings; from pathlib import Path",
            "from evergreen.modeling.training.train import train",
            "from evergreen.project import parse_project",
            "for name, text in json.loads(sys.stdin.read()).items():",
            f"    info = train(parse_project(text), Path({str(splits)!r}), Path(sys.argv[1]) / name).bundle",
            "    print(name, info.digest, info.engine)",
        ]
    )
    projects = {name: dump_project(project(model=model)) for name, model in REPEATED.items()}
    seen = []
    for seed, threads in (("1", "1"), ("3", "2")):
        limits = {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / f"out{threads}")], input=json.dumps(projects),
            env={**os.environ, **limits}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        seen.append(done.stdout)
    assert seen[0] == seen[1] and len(seen[0].splitlines()) == len(REPEATED)
    for name in REPEATED:
        for path in sorted((tmp_path / "out1" / name).iterdir()):
            assert path.read_bytes() == (tmp_path / "out2" / name / path.name).read_bytes(), (name, path.name)


@pytest.mark.slow
def test_another_seed_is_another_model(splits, tmp_path):
    one = train(project(), splits, tmp_path / "a").bundle.digest
    two = train(project(model={"seed": 18}), splits, tmp_path / "b").bundle.digest
    assert one != two


@pytest.mark.slow
def test_the_best_trial_is_used_whatever_the_order_of_the_studies(splits, tmp_path):
    for k, value in enumerate((0.7, 0.8)):
        trial = Trial(k, 0, {"max_leaf_nodes": 5 + k}, "complete", value, (value,))
        write_study(tmp_path / f"s{k}", Study("roc_auc", True, (trial,), {str(k): "trials"}))
    one = train(project(), splits, tmp_path / "a", studies=[tmp_path / "s0", tmp_path / "s1"])
    two = train(project(), splits, tmp_path / "b", studies=[tmp_path / "s1", tmp_path / "s0"])
    assert one.bundle.digest == two.bundle.digest and one.best.params == {"max_leaf_nodes": 6}
    assert one.training["params"]["max_leaf_nodes"] == 6
    assert "Tuned `max_leaf_nodes`: `6`" in load_bundle(tmp_path / "a").card


@pytest.mark.slow
def test_max_rows_is_a_sample_that_repeats(splits, tmp_path):
    settings = project(model={"max_rows": 200})
    one, two = (train(settings, splits, tmp_path / name) for name in "ab")
    assert one.rows == 200 and one.bundle.digest == two.bundle.digest


@pytest.mark.slow
def test_the_baseline_is_frozen_into_the_bundle(splits, tmp_path):
    (tmp_path / "p").write_text('{"rows": 7}\n')
    (tmp_path / "s").write_text("columns: {}\n")
    train(project(), splits, tmp_path / "m", profile=tmp_path / "p", schema=tmp_path / "s")
    assert load_bundle(tmp_path / "m").profile == {"rows": 7}
    assert (tmp_path / "m" / "schema.yaml").read_text() == "columns: {}\n"


def test_the_card_and_the_page_tell_what_matters(tmp_path):
    table = mixed(400).assign(same=1, **{"evil | <script>": 2.5})
    settings = project(
        scoping={"problem": "Who buys?\nNow | then", "users": "shops"},
        model={"estimator": "sklearn.neural_network.MLPClassifier", "params": {"max_iter": 3}},
    )
    trained = train(settings, write_splits(tmp_path, table), tmp_path / "m")
    card = load_bundle(tmp_path / "m").card
    for said in (
        "# Model card: try",
        "Task: binary",
        "positive is `yes`",
        "Who buys? Now \\| then",
        "digest `" + "0" * 64,
        "Split by time (when)",
        "sklearn.neural_network.MLPClassifier",
        "`max_iter`: `3`",
        "Seed: 17",
        "`same`: the same value",
        "`evil \\| &lt;script>`",
        "Small data: 2",
        "entities stand in more than one part",
        "nothing later than 2024-02",
        "Maximum iterations",
        "not calibrated",
        "- scikit-learn 1.",
    ):
        assert said in card, said
    assert any("Maximum iterations" in w for w in trained.warnings)
    page = training_page(settings, trained)
    assert "<script>`" not in page and trained.bundle.digest[:12] in page and "largest difference" in page


@pytest.mark.slow
def test_no_path_and_no_clock_in_the_bundle(splits, tmp_path):
    train(project(), splits, tmp_path / "m")
    for path in (tmp_path / "m").iterdir():
        assert str(tmp_path).encode() not in path.read_bytes(), path.name


WRONG = [
    ({"estimator": "sklearn.ensemble.RandomForrest"}, r"model\.estimator"),
    ({"params": {"depth": 3}}, r"model\.params\.depth.*HistGradientBoostingClassifier has no such parameter"),
    ({"estimator": "sklearn.linear_model.Ridge"}, r"model\.estimator: Ridge is no classifier"),
    (
        {"transform": [{"use": "sklearn.preprocessing.StandardScaler", "columns": ["zz"]}]},
        "'zz' is no feature",
    ),
]


@pytest.mark.parametrize("model,match", WRONG)
def test_wrong_models_leave_nothing_behind(splits, tmp_path, model, match):
    with pytest.raises(InputError, match=match):
        train(project(model=model), splits, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_a_model_of_own_steps_is_served_by_the_graph(splits, tmp_path):
    steps = [
        {"use": "sklearn.impute.SimpleImputer", "columns": "numbers"},
        {
            "use": "sklearn.preprocessing.OneHotEncoder",
            "params": {"handle_unknown": "ignore"},
            "columns": "categories",
        },
    ]
    model = {"estimator": "sklearn.linear_model.LogisticRegression", "transform": steps}
    trained = train(project(model=model), splits, tmp_path / "m")
    assert trained.bundle.engine == "onnx", trained.bundle.parity
    test = parts(splits)["test"].drop(columns=["a"])
    assert isinstance(load_bundle(tmp_path / "m").predict(test).values, np.ndarray)
    assert pd.isna(parts(splits)["train"]["a"]).any()
