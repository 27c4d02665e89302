"""Every planted fault is found: by its gate, in its column, by a fitting rule; no other column is accused."""

from collections import Counter

import pytest
from fault_catalogue import FAULTS, title

# Gates whose findings are about one column. A blank image is one in many of its measures, and what is wrong
# with a source is so in those that refer to it.
SINGLE = ("data", "labels", "features", "skew", "repair")


def test_the_catalogue_covers_what_the_issue_names():
    assert len({title(f) for f in FAULTS}) == len(FAULTS) >= 50
    families = Counter(f.family for f in FAULTS)
    named = {
        "dirty numbers", "swapped columns", "unit changes", "late spans", "label flips", "leaks",
        "skewed serving copies", "unseen categories", "clock shifts", "duplicates",
    }  # fmt: skip
    assert named <= set(families)
    assert {f.gate for f in FAULTS} == {*SINGLE, "sources", "media"}


@pytest.mark.parametrize("fault", FAULTS, ids=title)
def test_a_planted_fault_is_found(fault, tmp_path):
    findings = fault.run(tmp_path, 0)
    assert fault.hits(findings), [(f.rule, f.column, f.severity, f.reason) for f in findings]
    if fault.gate in SINGLE:
        assert not fault.beside(findings), [(f.rule, f.column, f.reason) for f in fault.beside(findings)]
