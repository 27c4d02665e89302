"""The gate's verdicts: from an evaluation written by hand, every branch by its own number."""

import pytest

from evergreen import decisions as records
from evergreen.decisions import Decision
from evergreen.errors import GateStopped, InputError
from evergreen.modeling.evaluation.gate import blessed, decide
from evergreen.modeling.evaluation.gate_page import gate_page, summary
from evergreen.project.model import Change, ModelGate, Threshold


def entry(value, low=None, high=None, **more):
    return {"value": value, "low": low, "high": high, **more}


def evaluation(changes: bool = True) -> dict:
    def part(rows, auc, loss, small=False):
        return {"rows": rows, "small": small, "metrics": {"roc_auc": auc, "log_loss": loss}}

    test = {
        "overall": part(1000, entry(0.8, 0.77, 0.83), entry(0.4, 0.38, 0.42)),
        "age=young": part(200, entry(0.70, 0.62, 0.78), entry(0.5, 0.45, 0.55)),
        "age=old": part(12, entry(0.40, 0.20, 0.65, ), entry(0.9, 0.5, 1.3), small=True),
        "age=(missing)": part(40, entry(None, reason="all rows have the same label"), entry(0.3, 0.2, 0.4)),
    }  # fmt: skip
    differences = {
        "overall": {"roc_auc": entry(-0.03, -0.05, -0.02), "log_loss": entry(-0.02, -0.03, -0.01)},
        "age=young": {"roc_auc": entry(-0.01, -0.04, 0.02), "log_loss": entry(0.05, 0.02, 0.08)},
        "age=old": {"roc_auc": entry(-0.3, -0.5, -0.1), "log_loss": entry(0.1, -0.1, 0.3)},
        "age=(missing)": {
            "roc_auc": entry(None, reason="all rows have the same label"),
            "log_loss": entry(0.0, 0.0, 0.0),
        },
    }
    return {
        "name": "world", "primary": "roc_auc", "min_slice_rows": 30, "baseline_problem": "",
        "higher_is_better": {"roc_auc": True, "log_loss": False},
        "datasets": {"test": test}, "changes": differences if changes else None,
    }  # fmt: skip


def verdicts(found) -> dict[tuple[str, str], str]:
    return {(d.check, d.slice): d.verdict for d in found}


def check(mode="fail", thresholds=(), changes=(), data=(), content=None):
    gate = ModelGate(mode=mode, thresholds=list(thresholds), changes=list(changes))
    return decide(gate, content or evaluation(), data)


@pytest.mark.parametrize(
    "bound,wanted",
    [
        (Threshold(metric="roc_auc", min=0.8), "pass"),
        (Threshold(metric="roc_auc", min=0.81), "fail"),
        (Threshold(metric="log_loss", max=0.4), "pass"),
        (Threshold(metric="log_loss", max=0.39), "fail"),
        (Threshold(metric="roc_auc", min=0.71, slice="age=young"), "fail"),
        (Threshold(metric="roc_auc", min=0.5, slice="age=(missing)"), "fail"),
    ],
)
def test_a_threshold_is_held_against_the_value(bound, wanted):
    (found,) = check(thresholds=[bound])
    assert found.verdict == wanted
    assert found.gate == "model" and found.slice == bound.slice and found.reason.endswith(".")
    assert found.threshold in (bound.min, bound.max)


def test_a_threshold_of_both_sides_gives_two_decisions():
    found = check(thresholds=[Threshold(metric="roc_auc", min=0.7, max=0.79)])
    assert verdicts(found) == {("roc_auc min", "overall"): "pass", ("roc_auc max", "overall"): "fail"}
    assert found[0].interval == (0.77, 0.83) and found[0].observed == 0.8


def test_every_slice_small_ones_never_stop():
    found = verdicts(check(thresholds=[Threshold(metric="roc_auc", min=0.69, slice="*")]))
    assert found == {
        ("roc_auc min", "age=young"): "pass",
        ("roc_auc min", "age=old"): "warn",
        ("roc_auc min", "age=(missing)"): "skip",
    }
    mild = verdicts(check(thresholds=[Threshold(metric="roc_auc", min=0.5, slice="*")]))
    assert mild["roc_auc min", "age=old"] == "skip"


@pytest.mark.parametrize(
    "bound,wanted",
    [
        (Change(metric="roc_auc", max_loss=0.01), "fail"),
        (Change(metric="roc_auc", max_loss=0.03), "warn"),
        (Change(metric="roc_auc", max_loss=0.06), "pass"),
        (Change(metric="log_loss"), "pass"),
        (Change(metric="roc_auc", slice="age=young"), "warn"),
        (Change(metric="log_loss", max_loss=0.01, slice="age=young"), "fail"),
        (Change(metric="log_loss", max_loss=0.05, slice="age=young"), "warn"),
        (Change(metric="roc_auc", slice="age=old"), "warn"),
        (Change(metric="log_loss", slice="age=old"), "skip"),
        (Change(metric="roc_auc", slice="age=(missing)"), "warn"),
        (Change(metric="log_loss", slice="age=(missing)"), "pass"),
    ],
)
def test_a_change_needs_the_whole_interval_beyond_the_bound(bound, wanted):
    (found,) = check(changes=[bound])
    assert found.verdict == wanted, found.reason
    sign = -1 if bound.metric == "roc_auc" else 1
    assert found.threshold == pytest.approx(sign * bound.max_loss)


def test_reasons_tell_the_direction_as_people_read_it():
    (worse,) = check(changes=[Change(metric="log_loss", max_loss=0.01, slice="age=young")])
    assert "0.0500 worse than the baseline's (0.0200 to 0.0800); a loss of 0.01 is allowed" in worse.reason
    (better,) = check(changes=[Change(metric="log_loss")])
    assert "0.0200 better than the baseline's (0.0100 to 0.0300)" in better.reason
    (unclear,) = check(changes=[Change(metric="roc_auc", slice="age=young")])
    assert "from 0.0400 worse to 0.0200 better" in unclear.reason


def test_without_a_baseline_changes_are_skipped_with_the_reason():
    (found,) = check(changes=[Change(metric="roc_auc")], content=evaluation(changes=False))
    assert found.verdict == "skip" and "no baseline yet" in found.reason
    other = {**evaluation(changes=False), "baseline_problem": "the baseline predicts other classes"}
    (found,) = check(changes=[Change(metric="roc_auc")], content=other)
    assert found.verdict == "warn" and "other classes" in found.reason


@pytest.mark.parametrize("mode,wanted", [("fail", "fail"), ("warn", "warn"), ("off", "skip")])
def test_modes(mode, wanted):
    bounds = {"thresholds": [Threshold(metric="roc_auc", min=0.9)], "changes": [Change(metric="roc_auc")]}
    found = check(mode, **bounds)
    assert {d.verdict for d in found} == {wanted}
    assert blessed(found) == (mode != "fail")


@pytest.mark.parametrize(
    "bound,message",
    [
        (
            Threshold(metric="roc_auc", min=0.5, slice="age=yuong"),
            r"thresholds\[0\].slice.*Did you mean `age=young`",
        ),
        (Threshold(metric="f1", min=0.5), r"thresholds\[0\].metric.*`f1` was not measured"),
    ],
)
def test_an_unknown_slice_or_metric_is_bad_input(bound, message):
    with pytest.raises(InputError, match=message):
        check(thresholds=[bound])


def test_a_no_of_the_data_gate_is_a_no_here_whatever_the_mode():
    no = Decision("data", "psi", "fail", "Age drifted by 0.4.")
    for mode in ("fail", "warn", "off"):
        found = check(mode, data=[no, Decision("data", "rows", "pass", "Enough rows.")])
        assert not blessed(found) and "Age drifted" in found[0].reason
        with pytest.raises(GateStopped, match="Age drifted"):
            records.stop_if_failed(found)


def test_no_bounds_bless_and_say_so(tmp_path):
    found = check()
    assert blessed(found) and found[0].verdict == "skip"
    assert "sets no bound" in summary(found)
    records.write(tmp_path / "d.json", found)
    assert records.read(tmp_path / "d.json") == found


def test_the_page_leads_with_the_verdict():
    found = check(
        thresholds=[Threshold(metric="roc_auc", min=0.81)], changes=[Change(metric="log_loss", slice="*")]
    )
    html = gate_page(found, evaluation())
    assert (
        'class="banner fail"' in html
        and "Not blessed. ROC AUC on the test set (1,000 rows) is 0.8000" in html
    )
    assert html.count("<svg") >= 2 and "http://" not in html.replace("http://www.w3.org", "")
