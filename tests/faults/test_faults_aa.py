"""Where nothing was planted nothing is found: the first resamples of what `aa.py` does 200 times."""

import pytest
from fault_clean import CLEAN
from fault_world import told

CASES = [(clean, seed) for clean in CLEAN for seed in range(clean.quick)]


@pytest.mark.parametrize(("clean", "seed"), CASES, ids=[f"{c.gate}: {c.table}, {s}" for c, s in CASES])
def test_nothing_is_found_where_nothing_was_planted(clean, seed, tmp_path):
    found = told(clean.run(tmp_path, seed))
    assert not found, [(f.rule, f.column, f.severity, f.reason) for f in found]
