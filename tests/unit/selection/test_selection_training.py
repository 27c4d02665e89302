"""Tuning and training honour a selection; without one everything is as before."""

import json

import pytest
from splits_world import project

from evergreen.bundle.load import load_bundle
from evergreen.errors import InputError
from evergreen.modeling.selection.record import write_selection
from evergreen.modeling.training.page import training_page
from evergreen.modeling.training.train import train
from evergreen.modeling.tuning.search import prepare
from evergreen.modeling.tuning.tune import tune

LINEAR = {"estimator": "sklearn.linear_model.LogisticRegression"}
SPACE = {"trials": 2, "parallel": 2, "folds": 2, "space": {"C": {"low": 0.1, "high": 1.0}}}


@pytest.fixture(scope="session")
def selection(chosen, tmp_path_factory):
    path = tmp_path_factory.mktemp("chosen") / "selection.json"
    write_selection(path, chosen.selection)
    return path


@pytest.mark.slow
def test_the_bundle_reads_the_kept_features_only(tmp_path, splits, chosen, selection):
    settings = project(model=LINEAR)
    trained = train(settings, splits, tmp_path / "model", selection=selection)
    bundle = load_bundle(tmp_path / "model")
    assert tuple(i.name for i in bundle.signature.inputs) == chosen.selection.kept
    card = (tmp_path / "model" / "card.md").read_text()
    assert "Selected: 3 features kept, 4 left out." in card
    assert "`noise`: useless: it beat shuffled copies" in card
    training = json.loads((tmp_path / "model" / "training.json").read_text())
    assert training["selection"]["dropped"]["noise"] == "useless"
    assert "useless" in training_page(settings, trained)


def test_an_empty_selection_changes_nothing(tmp_path, splits):
    (tmp_path / "none").mkdir()
    with_empty = train(project(model=LINEAR), splits, tmp_path / "a", selection=tmp_path / "none")
    without = train(project(model=LINEAR), splits, tmp_path / "b")
    assert with_empty.bundle.digest == without.bundle.digest
    assert len(without.plan.inputs) == 7


@pytest.mark.slow
def test_trials_get_the_kept_features(splits, chosen, selection):
    settings = project(model={**LINEAR, "tune": SPACE})
    assert [i.name for i in prepare(settings, splits, selection).plan.inputs] == list(chosen.selection.kept)
    one = tune(settings, splits, processes=1, selection=selection)
    assert one.best is not None and one.trials != tune(settings, splits, processes=1).trials


@pytest.mark.slow
def test_trials_in_processes_are_the_same(splits, selection):
    settings = project(model={**LINEAR, "tune": SPACE})
    alone = tune(settings, splits, processes=1, selection=selection)
    assert tune(settings, splits, processes=2, selection=selection).trials == alone.trials


def test_a_file_that_is_no_selection(tmp_path, splits):
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InputError, match="no selection"):
        train(project(model=LINEAR), splits, tmp_path / "model", selection=tmp_path / "other.json")
