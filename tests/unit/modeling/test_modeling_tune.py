"""The search: the same trials however it is run, failures recorded, an end with its parent."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from splits_world import project
from training_world import mixed, write_splits

from evergreen.errors import InputError
from evergreen.modeling.tuning.search import seed_of, trials_of
from evergreen.modeling.tuning.study import Study, merge, write_study
from evergreen.modeling.tuning.tune import tune
from evergreen.project import dump_project

LOGISTIC = {
    "estimator": "sklearn.linear_model.LogisticRegression",
    "tune": {
        "trials": 7,
        "parallel": 3,
        "folds": 2,
        "space": {
            "C": {"low": 0.001, "high": 100, "log": True},
            "max_iter": {"low": 50, "high": 200, "integer": True},
            "fit_intercept": {"choices": [True, False]},
        },
    },
}


def searching(**changes):
    return {**LOGISTIC, "tune": {**LOGISTIC["tune"], **changes}}


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    return write_splits(tmp_path_factory.mktemp("tune"), mixed())


def written(folder, study):
    write_study(folder, study)
    return (folder / "study.json").read_bytes()


@pytest.mark.slow
def test_processes_and_shards_change_nothing(splits, tmp_path, capfd):
    settings = project(model=LOGISTIC)
    here = tune(settings, splits, processes=1)
    apart = tune(settings, splits, processes=2)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    ended = [line for line in lines if line["event"] == "trial ended"]
    assert len(ended) == 7 and all(line["state"] == "complete" for line in ended)
    shards = merge(tune(settings, splits, shard=k, shards=2, processes=1) for k in (1, 0))
    assert [(t.study, t.number) for t in here.trials] == [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
        (2, 0),
        (2, 1),
    ]
    assert written(tmp_path / "a", here) == written(tmp_path / "b", apart) == written(tmp_path / "c", shards)
    assert here.metric == "roc_auc" and here.best.value > 0.8
    other = tune(project(model={**LOGISTIC, "seed": 18}), splits, processes=1)
    assert [t.params for t in other.trials] != [t.params for t in here.trials]


def test_the_projects_own_parameters_are_tried_first(splits):
    first = tune(project(model=searching(trials=1)), splits).trials[0]
    assert first.params == {"C": 1.0, "max_iter": 100, "fit_intercept": True}


def test_no_section_is_an_empty_study_at_once(splits):
    assert tune(project(), splits) == Study()


@pytest.mark.slow
def test_a_failing_trial_is_recorded_and_the_others_go_on(splits):
    space = {
        "solver": {"choices": ["lbfgs", "newton-cholesky", "liblinear"]},
        "penalty": {"choices": ["l2", "l1"]},
    }
    study = tune(project(model=searching(trials=8, parallel=1, space=space)), splits)
    failed = [t for t in study.trials if t.state == "failed"]
    assert failed and any(t.state == "complete" for t in study.trials)
    assert all(
        "LogisticRegression cannot be fitted" in t.error and t.params["penalty"] == "l1" for t in failed
    )


def test_a_search_of_which_every_trial_fails(splits):
    space = {"C": {"choices": [-1.0, -2.0]}}
    with pytest.raises(InputError, match=r"all 4 trials failed; the first one \(C=-\d.0\): .*'C' parameter"):
        tune(project(model=searching(trials=4, parallel=2, space=space)), splits, processes=1)


def test_an_unknown_parameter_is_refused_before_the_search(splits):
    space = {"Cc": {"low": 1, "high": 2}}
    for processes in (1, 2):
        with pytest.raises(InputError, match=r"model\.tune\.space\.Cc.*Did you mean 'C'"):
            tune(project(model=searching(space=space)), splits, processes=processes)


@pytest.mark.slow
def test_a_metric_that_the_estimator_does_not_have(splits):
    model = {
        "estimator": "sklearn.svm.LinearSVC",
        "tune": {"trials": 2, "space": {"C": {"low": 0.1, "high": 2}}},
    }
    with pytest.raises(InputError, match="gives no probabilities"):
        tune(project(model=model), splits, processes=1)
    study = tune(project(model=model, evaluation={"primary": "accuracy"}), splits, processes=1)
    assert study.metric == "accuracy" and study.best.value > 0.7


@pytest.mark.slow
def test_out_of_time(splits):
    study = tune(project(model=searching(trials=500, parallel=1, timeout="1s")), splits)
    assert study.stopped == {"0": "timeout"} and len(study.trials) < 500
    assert all(t.state in ("complete", "pruned", "unfinished") for t in study.trials)


@pytest.mark.slow
def test_bad_trials_are_pruned_and_lower_is_better(splits):
    space = {"learning_rate": {"choices": [0.1, 1e-6]}}
    model = {"estimator": "sklearn.ensemble.GradientBoostingClassifier", "params": {"n_estimators": 10}}
    settings = {"trials": 12, "parallel": 1, "folds": 3, "space": space}
    study = tune(project(model={**model, "tune": settings}, evaluation={"primary": "log_loss"}), splits)
    assert not study.higher_is_better and study.best.params == {"learning_rate": 0.1}
    pruned = [t for t in study.trials if t.state == "pruned"]
    assert pruned and all(t.params == {"learning_rate": 1e-6} and 0 < len(t.folds) < 3 for t in pruned)
    calm = tune(
        project(model={**model, "tune": {**settings, "prune": False}}, evaluation={"primary": "log_loss"}),
        splits,
    )
    assert {t.state for t in calm.trials} == {"complete"}


def test_trials_and_seeds_of_the_substudies():
    section = project(model=searching(trials=10, parallel=4)).model.tune
    assert [trials_of(section, k) for k in range(4)] == [3, 3, 2, 2]
    seeds = {seed_of(seed, k) for seed in range(20) for k in range(20)}
    assert len(seeds) == 400 and max(seeds) < 2**31


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_no_substudy_outlives_its_parent(splits, tmp_path, sent):
    settings = project(model=searching(trials=100_000, parallel=2))
    (tmp_path / "project.yaml").write_text(dump_project(settings))
    code = "\n".join(
        [
            "from pathlib import Path; from evergreen.modeling.tuning.tune import tune",
            "from evergreen.project import parse_project",
            f"project = parse_project(Path({str(tmp_path / 'project.yaml')!r}).read_text())",
            f"tune(project, Path({str(splits)!r}), processes=2)",
        ]
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as parent:
        children = wait_for(lambda: psutil.Process(parent.pid).children(recursive=True), 2)
        os.kill(parent.pid, sent)
    _, alive = psutil.wait_procs(children, timeout=120)
    assert alive == []


def wait_for(look, count, timeout=120):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        found = look()
        if len(found) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError("the children did not start")


def test_a_substudy_that_dies_is_a_fault(splits, monkeypatch, tmp_path):
    from evergreen.errors import Fault

    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'evergreen.modeling.tuning.substudy' in ' '.join(sys.orig_argv): os.kill(os.getpid(), 9)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(Fault, match=r"ended with signal 9.*max_rows"):
        tune(project(model=LOGISTIC), splits, processes=2)
