"""What goes, what stays, and why: on a table whose truth is known."""

import json

import pytest
from selection_world import WEIRD, table
from splits_world import project, write_splits

from evergreen.errors import DataError, InputError
from evergreen.modeling.selection import choose
from evergreen.modeling.selection.findings import leak_findings, nothing_helps
from evergreen.modeling.selection.importance import Importance, Importances
from evergreen.modeling.selection.information import Information
from evergreen.modeling.selection.leaks import Leak
from evergreen.modeling.selection.page import selection_page
from evergreen.modeling.selection.record import Selection, read_selection, selected, write_selection
from evergreen.modeling.selection.select import select_features


@pytest.mark.slow
def test_noise_and_repeats_go_and_what_matters_stays(chosen):
    reasons = {d.feature: d.reason for d in chosen.selection.dropped}
    assert set(chosen.selection.kept) >= {WEIRD}
    assert len({"strong", "strong in cm"} & set(chosen.selection.kept)) == 1
    assert len({"town", "town code"} & set(chosen.selection.kept)) == 1
    assert sorted(reasons.values()) == ["redundant", "redundant", "useless", "useless"]
    assert reasons["noise"] == reasons["coin"] == "useless"
    assert chosen.findings == () and {d.verdict for d in chosen.decisions} == {"pass"}


@pytest.mark.slow
def test_leaving_out_costs_nothing_and_the_interval_says_how_sure_that_is(chosen):
    quality = chosen.selection.quality
    assert quality["worse_low"] <= quality["worse"] <= quality["worse_high"]
    assert quality["worse"] <= 0.01 * (quality["loss_prior"] - quality["loss_all"])
    assert quality["left_out"] == 4 and quality["looked_at"] == 7
    assert chosen.selection.sample["small_data"] and chosen.selection.sample["repeats"] == 5


@pytest.mark.slow
def test_scores_rank_the_truth(chosen):
    scores = chosen.selection.features
    assert min(scores[n]["mi_bits"] for n in ("strong", WEIRD, "town")) > scores["noise"]["mi_bits"]
    assert scores[WEIRD]["hits"] > 10 > scores["noise"]["hits"]
    assert scores["noise"]["low"] <= scores["noise"]["importance"] <= scores["noise"]["high"]


@pytest.mark.slow
def test_the_record_comes_back(tmp_path, chosen):
    write_selection(tmp_path / "selection.json", chosen.selection)
    back = read_selection(tmp_path / "selection.json")
    assert back.kept == chosen.selection.kept and back.reasons() == chosen.selection.reasons()
    assert json.loads((tmp_path / "selection.json").read_text())["version"] == 1


@pytest.mark.slow
def test_the_page_shows_it_all_and_escapes_names(chosen):
    html = selection_page("try <b>", chosen)
    assert "<b>" not in html and 'Größe "m²"' not in html.replace("&#34;", "")
    assert html.count("<svg") >= 3 and "repeats another" in html and "no use" in html


@pytest.mark.slow
def test_the_user_and_the_transform_have_the_last_word(splits):
    steps = [{"use": "sklearn.preprocessing.StandardScaler", "columns": ["noise"]}]
    settings = project(selection={"keep": ["strong in cm"], "drop": ["town"]}, model={"transform": steps})
    found = select_features(settings, splits).selection
    assert {"noise", "strong in cm", "town code"} <= set(found.kept)
    assert {d.feature: d.reason for d in found.dropped}["town"] == "asked"
    assert "strong" not in found.kept


def test_off_looks_at_nothing(splits):
    found = select_features(project(selection={"mode": "off", "drop": ["coin"]}), splits)
    assert "coin" not in found.selection.kept and "noise" in found.selection.kept
    assert found.selection.features == {} and found.decisions == ()
    assert "off" in selection_page("try", found)


@pytest.mark.parametrize("where", ["keep", "drop"])
def test_names_must_be_features(splits, where):
    with pytest.raises(InputError, match=rf"selection\.{where}: 'nois' is no feature.*Did you mean .noise"):
        select_features(project(selection={where: ["nois"]}), splits)


def test_one_of_both_lists():
    with pytest.raises(ValueError, match="in `keep` and in `drop`"):
        project(selection={"keep": ["a"], "drop": ["a"]})


@pytest.mark.slow
def test_a_leak_stops_the_run_and_the_same_twice(tmp_path):
    rows = table(300)[["id", "strong", "noise", "y"]]
    rows["told"] = rows["y"].map({"no": 0.0, "yes": 1.0})
    splits = write_splits(tmp_path, rows)
    stopped = select_features(project(), splits)
    assert [(f.severity, f.column, f.gate) for f in stopped.findings] == [("fail", "told", "selection")]
    assert "told" not in stopped.selection.kept and "strong" in stopped.selection.kept
    assert "told" in stopped.evidence and stopped.decisions[0].check == "leak copy(told)"
    for k, found in enumerate((stopped, select_features(project(), splits))):
        write_selection(tmp_path / f"{k}.json", found.selection)
    assert (tmp_path / "0.json").read_bytes() == (tmp_path / "1.json").read_bytes()


@pytest.mark.parametrize(
    "selection,sure,expected",
    [
        ({}, True, "fail"),
        ({}, False, "warn"),
        ({"leakage": "drop"}, True, "warn"),
        ({"leakage": "warn"}, True, "warn"),
        ({"keep": ["told"]}, True, "skip"),
    ],
)
def test_what_a_leak_does(selection, sure, expected):
    leak = Leak("told", "leak copy", sure, "it tells", 1.0, 0.75, 10)
    (finding,) = leak_findings(project(selection=selection), [leak], [])
    assert finding.severity == expected and finding.record()["column"] == "told"


def test_nothing_is_dropped_when_nothing_helps():
    none, known = Importance(0.0, -0.1, 0.1, 2, 15), Information(0.0, 0.01)
    found = Importances((none, none), (none, none), (0.02, 0.0, 0.04))
    assert choose.candidates([(0,), (1,)], found, [known, known], set()) == {}
    assert nothing_helps(found).severity == "warn"


def test_which_features_may_go():
    none, some = Importance(0.0, -0.1, 0.1, 2, 15), Importance(0.2, 0.1, 0.3, 15, 15)
    known, unknown = Information(0.1, 0.01), Information(0.0, 0.01)
    found = Importances((none,) * 5, (none, none, some), (0.02, 0.0, 0.04))
    units, told = [(0,), (1,), (2, 3, 4)], [known, unknown, known, known, known]
    assert choose.candidates(units, found, told, {4}) == {
        0: "adds nothing",
        1: "useless",
        2: "redundant",
        3: "redundant",
    }
    assert choose.candidates(units, found, told, {0, 1, 2}) == {3: "redundant", 4: "redundant"}


@pytest.mark.slow
def test_a_set_that_costs_quality_is_not_dropped(splits):
    from evergreen.modeling.selection.quick import Problem
    from evergreen.modeling.selection.sample import load_sample

    sample = load_sample(project(), splits)
    problem = Problem(sample.label, sample.classes, 17)
    places = range(len(sample.names))
    wrong = {k: "useless" for k in places if sample.names[k] in ("strong", "strong in cm", "noise")}
    importance = [0.0 if name == "noise" else 1.0 for name in sample.names]
    gone, quality = choose.verified(sample, problem, places, wrong, importance)
    assert {sample.names[k] for k in gone} == {"noise"}
    assert {sample.names[k] for k in quality.refused} == {"strong", "strong in cm"}


def test_a_selection_of_another_training_set_is_refused(tmp_path):
    with pytest.raises(DataError, match="it keeps 'b'"):
        selected([{"name": "a"}], Selection("drop", ("b",)))
    (tmp_path / "empty").mkdir()
    assert read_selection(tmp_path / "empty") is None and read_selection(None) is None
    (tmp_path / "bad").write_text("[]")
    with pytest.raises(DataError, match="no selection"):
        read_selection(tmp_path / "bad")
