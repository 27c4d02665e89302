"""The decision record."""

import pytest

from evergreen.decisions import Decision, read, stop_if_failed, verdict, write
from evergreen.errors import GateStopped


def decision(**changes):
    base = {
        "gate": "model",
        "check": "roc_auc min",
        "verdict": "pass",
        "reason": "roc_auc is 0.8, at least 0.7",
    }
    return Decision(**{**base, **changes})


def test_round_trip(tmp_path):
    decisions = [decision(), decision(verdict="fail", interval=(0.1, 0.2), threshold=0.7, observed=0.15)]
    write(tmp_path / "d.json", decisions)
    assert read(tmp_path / "d.json") == decisions


@pytest.mark.parametrize("mode,expected", [("fail", "fail"), ("warn", "warn"), ("off", "skip")])
def test_what_a_no_does_depends_on_the_mode(mode, expected):
    assert verdict(False, mode) == expected
    assert verdict(True, mode) == "pass"


def test_only_a_fail_stops():
    stop_if_failed([decision(), decision(verdict="warn"), decision(verdict="skip")])
    with pytest.raises(GateStopped, match=r"roc_auc is 0\.1"):
        stop_if_failed([decision(), decision(verdict="fail", reason="roc_auc is 0.1")])
    many = [decision(verdict="fail", reason=f"r{i}") for i in range(7)]
    with pytest.raises(GateStopped, match="and 2 more"):
        stop_if_failed(many)
