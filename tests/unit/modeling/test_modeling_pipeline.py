"""Columns, estimators, transforms: what is chosen, and what is refused with which remedy."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from splits_world import project
from training_world import WEIRD, mixed, write_splits

from evergreen.bundle.encode import encode_columns
from evergreen.bundle.signature import Input, Signature
from evergreen.errors import DataError, InputError
from evergreen.modeling.columns import ColumnPlan, plan_columns
from evergreen.modeling.matrix import Matrix, load_matrix, sampled
from evergreen.modeling.task import Target
from evergreen.modeling.training.estimators import make, public_paths, resolve
from evergreen.modeling.training.fit import fit, predict
from evergreen.modeling.training.pipeline import build_pipeline, named_columns
from evergreen.tables import connect, read_meta, scan

BINARY = Target("binary", ("no", "yes"), "yes")
PLAN = ColumnPlan(
    (
        Input("a", "number", required=False),
        Input(WEIRD, "number"),
        Input("select", "category", required=False),
        Input("garden", "boolean"),
    ),
    frozenset({"a", "select"}),
    {"select": 3},
    {},
    5000,
)


def planned(splits: Path, **more) -> ColumnPlan:
    meta = read_meta(splits)
    with connect() as con:
        return plan_columns(con, scan(splits / "train.parquet"), meta["features"], **more)


def test_columns_of_no_use_are_left_out_with_the_reason(tmp_path):
    table = mixed().assign(
        nothing=np.nan,
        same=3.5,
        same_text="x",
        flag=True,
        note=[f"note {k}" for k in range(600)],
        empty_text="",
    )
    half = table["id"] % 2 == 0
    table["half"] = np.where(half, 1.0, np.nan)
    plan = planned(write_splits(tmp_path, table))
    assert {n: r.split(" (")[0] for n, r in plan.dropped.items()} == {
        "nothing": "no value in the train part",
        "same": "the same value in every row of the train part",
        "same_text": "the same value in every row of the train part",
        "flag": "the same value in every row of the train part",
        "note": "text that hardly repeats",
        "empty_text": "no value in the train part",
    }
    inputs = {i.name: i for i in plan.inputs}
    assert list(inputs) == ["a", WEIRD, "select", "garden", "half"]
    assert not inputs["a"].required and inputs[WEIRD].required and not inputs["half"].required
    assert inputs["select"].categories == ("east", "north", "south")
    assert plan.with_missing == {"a", "select", "half"}
    kept = planned(tmp_path / "splits", keep=["note"])
    assert "note" in {i.name for i in kept.inputs}


def test_infinite_numbers_are_refused_by_name(tmp_path):
    table = mixed()
    table[WEIRD] = np.inf
    with pytest.raises(DataError, match=r"Größe.*infinite"):
        planned(write_splits(tmp_path, table))


def test_no_usable_feature_is_an_error(tmp_path):
    table = mixed()[["id", "y"]].assign(x=1.0)
    with pytest.raises(DataError, match=r"none can be used \(x: the same value"):
        planned(write_splits(tmp_path, table))


def test_loaded_columns_are_what_the_bundle_would_encode(tmp_path):
    splits = write_splits(tmp_path, mixed())
    plan, meta = planned(splits), read_meta(splits)
    with connect() as con:
        matrix = load_matrix(con, scan(splits / "train.parquet"), plan.inputs, BINARY, "y")
        few = sampled(con, splits / "train.parquet", meta, 50, 1)
        again = sampled(con, splits / "train.parquet", meta, 50, 1)
        other = sampled(con, splits / "train.parquet", meta, 50, 2)
        rows = [con.execute(f"SELECT id FROM {r}").fetchall() for r in (few, again, other)]
    table = pd.read_parquet(splits / "train.parquet")
    arrays, _ = encode_columns(Signature("binary", plan.inputs), table)
    for k, array in enumerate(arrays):
        np.testing.assert_array_equal(matrix.table[k].to_numpy(), array)
    assert (np.array(["no", "yes"])[matrix.target] == table["y"]).all()
    assert len(rows[0]) == 50 and rows[0] == rows[1] != rows[2]


def test_every_public_path_leads_to_an_estimator():
    paths = public_paths()
    assert len(paths) > 150 and "sklearn.ensemble.RandomForestClassifier" in paths
    for path in paths[::20]:
        assert resolve(path, "model.estimator").__name__ == path.rpartition(".")[2]


UNKNOWN = [
    ("sklearn.ensemble.RandomForrestClassifier", "Did you mean 'sklearn.ensemble.RandomForestClassifier'"),
    ("sklearn.linear_model.logisticregression", "Did you mean 'sklearn.linear_model.LogisticRegression'"),
    ("sklearn.nothing.Here", "no scikit-learn estimator"),
    ("sklearn.svm", "no scikit-learn estimator"),
    ("sklearn.metrics.accuracy_score", "no scikit-learn estimator"),
    ("os.system", "no scikit-learn estimator"),
    ("sklearn.base.BaseEstimator.get_params", "no scikit-learn estimator"),
]


@pytest.mark.parametrize("path,match", UNKNOWN)
def test_unknown_paths(path, match):
    with pytest.raises(InputError, match=match):
        make(path, {}, "model.estimator")


PARAMS = [
    ({"n_estimator": 3}, r"model\.params\.n_estimator.*Did you mean 'n_estimators'"),
    ({"n_estimators": -1}, r"model\.params\.n_estimators: The 'n_estimators' parameter"),
    ({"n_estimators": "many"}, r"model\.params\.n_estimators: .*Got 'many'"),
    ({"max_features": [1]}, r"model\.params\.max_features"),
]


@pytest.mark.parametrize("params,match", PARAMS)
def test_wrong_parameters_are_named(params, match):
    with pytest.raises(InputError, match=match):
        make("sklearn.ensemble.RandomForestClassifier", params, "model.estimator", "model.params")


def test_lists_become_tuples_where_one_is_due_and_estimators_nest():
    scaler = make("sklearn.preprocessing.MinMaxScaler", {"feature_range": [0, 2]}, "x")
    assert scaler.feature_range == (0, 2)
    logistic = {"use": "sklearn.linear_model.LogisticRegression", "params": {"C": 2.0}}
    stack = make(
        "sklearn.ensemble.StackingClassifier",
        {"estimators": [["a", logistic], ["b", {"use": "sklearn.naive_bayes.GaussianNB"}]]},
        "model.estimator",
    )
    assert isinstance(stack, StackingClassifier) and stack.estimators[0][1].C == 2.0
    with pytest.raises(InputError, match=r"estimators.*GausianNB"):
        make(
            "sklearn.ensemble.VotingClassifier",
            {"estimators": [["b", {"use": "sklearn.naive_bayes.GausianNB"}]]},
            "x",
        )
    with pytest.raises(InputError, match="needs estimators"):
        make("sklearn.ensemble.VotingClassifier", {}, "model.estimator")


def built(model=None, target=BINARY, tuned=None, plan=PLAN):
    return build_pipeline(project(model=model or {}).model, plan, target, tuned)


def test_the_kind_of_estimator_must_fit_the_label():
    with pytest.raises(InputError, match=r"RandomForestRegressor is no classifier.*RandomForestClassifier"):
        built({"estimator": "sklearn.ensemble.RandomForestRegressor"})
    with pytest.raises(InputError, match="LogisticRegression is no regressor"):
        built({"estimator": "sklearn.linear_model.LogisticRegression"}, Target("regression"))
    with pytest.raises(InputError, match="StandardScaler is no classifier"):
        built({"estimator": "sklearn.preprocessing.StandardScaler"})


def test_auto_is_histogram_boosting_gentler_for_few_rows():
    few, many = built(), built(plan=ColumnPlan(PLAN.inputs, PLAN.with_missing, PLAN.distinct, {}, 10_000))
    assert few.estimator == "sklearn.ensemble.HistGradientBoostingClassifier" == many.estimator
    assert few.pipeline[-1].max_leaf_nodes == 8 and many.pipeline[-1].max_leaf_nodes == 31
    assert built(target=Target("regression")).estimator.endswith("HistGradientBoostingRegressor")
    assert built({"params": {"max_iter": 7}}).pipeline[-1].max_iter == 7


def test_every_random_state_is_seeded_unless_the_project_sets_it():
    model = {
        "seed": 5,
        "estimator": "sklearn.ensemble.BaggingClassifier",
        "params": {
            "estimator": {"use": "sklearn.tree.DecisionTreeClassifier", "params": {"random_state": 3}}
        },
    }
    params = built(model).pipeline.get_params(deep=True)
    states = {k: v for k, v in params.items() if k.endswith("random_state")}
    assert states == {"model__random_state": 5, "model__estimator__random_state": 3}


def test_class_weights_by_value_and_balanced():
    logistic = "sklearn.linear_model.LogisticRegression"
    assert built({"estimator": logistic, "class_weight": "balanced"}).pipeline[-1].class_weight == "balanced"
    weights = {"estimator": logistic, "params": {"class_weight": {"yes": 5, "no": 1}}}
    assert built(weights).pipeline[-1].class_weight == {1: 5.0, 0: 1.0}
    with pytest.raises(InputError, match="'maybe' is no class"):
        built({"estimator": logistic, "params": {"class_weight": {"maybe": 5}}})
    with pytest.raises(InputError, match="GaussianNB has no such parameter"):
        built({"estimator": "sklearn.naive_bayes.GaussianNB", "class_weight": "balanced"})


def test_tuned_parameters_by_name_or_path():
    made = built(tuned={"learning_rate": 0.2, "prepare__categories__max_categories": 5})
    assert made.pipeline[-1].learning_rate == 0.2
    assert made.pipeline.get_params()["prepare__categories__max_categories"] == 5
    with pytest.raises(InputError, match=r"model\.tune\.space\.learning_rat: .*Did you mean 'learning_rate'"):
        built(tuned={"learning_rat": 0.2})
    with pytest.raises(
        InputError, match=r"model\.tune\.space\.model__learning_rate: .*'learning_rate' parameter"
    ):
        built(tuned={"learning_rate": -1.0})


@pytest.mark.parametrize(
    "estimator,sparse",
    [("sklearn.linear_model.LogisticRegression", True), ("sklearn.naive_bayes.GaussianNB", False)],
)
def test_wide_one_hot_columns_stay_sparse_where_that_is_taken(estimator, sparse):
    wide = ColumnPlan(PLAN.inputs, PLAN.with_missing, {"select": 900}, {}, 5000)
    model = {"estimator": estimator, "max_categories": 254}
    assert built(model, plan=wide).pipeline.get_params()["prepare__categories__sparse_output"] is sparse
    assert built(model).pipeline.get_params()["prepare__categories__sparse_output"] is False


STEPS = [
    {"use": "sklearn.impute.SimpleImputer", "columns": "numbers"},
    {"use": "sklearn.preprocessing.StandardScaler", "columns": "numbers"},
    {"use": "sklearn.impute.SimpleImputer", "params": {"strategy": "most_frequent"}, "columns": "categories"},
    {
        "use": "sklearn.preprocessing.OneHotEncoder",
        "params": {"handle_unknown": "ignore"},
        "columns": "categories",
    },
    {"use": "sklearn.preprocessing.KBinsDiscretizer", "params": {"encode": "ordinal"}, "columns": [WEIRD]},
    {"use": "sklearn.decomposition.TruncatedSVD", "params": {"n_components": 2}},
]


def matrix_of(table: pd.DataFrame) -> Matrix:
    arrays, _ = encode_columns(Signature("binary", PLAN.inputs), table)
    return Matrix(pd.DataFrame(dict(enumerate(arrays))), (table["y"] == "yes").to_numpy().astype(int))


def test_own_steps_are_chained_by_columns():
    model = {"transform": STEPS, "estimator": "sklearn.linear_model.LogisticRegression"}
    made = built(model)
    assert named_columns(project(model=model).model) == [WEIRD]
    matrix = matrix_of(mixed())
    assert fit(made.pipeline, matrix) == []
    parts = made.pipeline["columns"].transformers_
    assert [(name, list(columns)) for name, _, columns in parts] == [
        ("columns1", [0, 3]), ("columns2", [2]), ("columns3", [1]),
    ]  # fmt: skip
    assert made.pipeline["step6"].n_features_in_ == 2 + 3 + 1
    assert "" not in made.pipeline["columns"].transformers_[1][1]["step4"].categories_[0]
    assert predict(made.pipeline, matrix.table, BINARY).probabilities.shape == (600, 2)


def test_numbers_that_no_step_names_pass_through_text_must_not():
    boosting = {"estimator": "sklearn.ensemble.HistGradientBoostingClassifier"}
    codes = {"use": "sklearn.preprocessing.OrdinalEncoder", "columns": ["select"]}
    made = built({**boosting, "transform": [codes]})
    fit(made.pipeline, matrix_of(mixed()))
    assert made.pipeline[-1].n_features_in_ == 4
    with pytest.raises(InputError, match="no step takes the category columns 'select'"):
        built(
            {**boosting, "transform": [{"use": "sklearn.preprocessing.StandardScaler", "columns": "numbers"}]}
        )
    with pytest.raises(InputError, match=r"transform\[0\]\.columns: 'selec' is no feature"):
        built({**boosting, "transform": [{**codes, "columns": ["selec"]}]})
    with pytest.raises(InputError, match=r"model\.transform\[0\].*no scikit-learn"):
        built({**boosting, "transform": [{**codes, "use": "sklearn.preprocessing.OrdinalEncodr"}]})
    with pytest.raises(InputError, match=r"model\.transform\[0\]\.params\.dtyp"):
        built({**boosting, "transform": [{**codes, "params": {"dtyp": 1}}]})


def test_text_is_vectorized():
    words = {"use": "sklearn.feature_extraction.text.TfidfVectorizer", "columns": ["select"]}
    made = built(
        {"transform": [words], "estimator": "sklearn.naive_bayes.MultinomialNB"},
        plan=ColumnPlan((PLAN.inputs[2],), frozenset(), {"select": 3}, {}, 600),
    )
    table = mixed()
    matrix = Matrix(
        pd.DataFrame({0: table["select"].fillna("").to_numpy(dtype=object)}), matrix_of(table).target
    )
    fit(made.pipeline, matrix)
    assert set(made.pipeline["columns"].transformers_[0][1].vocabulary_) == {"north", "south", "east"}


def test_what_cannot_be_fitted_says_so():
    made = built({"transform": STEPS[3:4], "estimator": "sklearn.linear_model.LogisticRegression"})
    with pytest.raises(
        InputError, match="LogisticRegression cannot be fitted to these rows: Input X contains NaN"
    ):
        fit(made.pipeline, matrix_of(mixed()))


def test_estimators_that_need_another_say_so():
    for name in ("semi_supervised.SelfTrainingClassifier", "multioutput.ClassifierChain"):
        with pytest.raises(InputError, match="model"):
            fit(built({"estimator": f"sklearn.{name}"}).pipeline, matrix_of(mixed()))


def test_forests_use_the_cores_and_keep_no_trace_of_them():
    made = built({"estimator": "sklearn.ensemble.RandomForestClassifier", "params": {"n_estimators": 5}})
    fit(made.pipeline, matrix_of(mixed()), threads=2)
    assert isinstance(made.pipeline[-1], RandomForestClassifier) and made.pipeline[-1].n_jobs is None


@pytest.mark.slow
def test_probabilities_have_a_column_for_classes_that_a_fold_lacks():
    three = Target("multiclass", ("a", "b", "c"))
    made = built(target=three)
    matrix = matrix_of(mixed())
    fit(made.pipeline, Matrix(matrix.table, matrix.target * 2))
    found = predict(made.pipeline, matrix.table, three)
    assert found.probabilities.shape == (600, 3) and (found.probabilities[:, 1] == 0).all()
    assert set(found.values) == {0, 2}
