"""Planted faults in real tables are found, and random halves of them are alike; the whole suite is slow."""

import fault_tables as tables
import numpy as np
import pandas as pd
import pytest

from evergreen.profile import infer_schema, profile_table, validate
from evergreen.profile.traits.observe import with_traits
from evergreen.project.model import DataGate, Resources

ONE = Resources(threads=1)
# What so few rows cannot show, by table.
TOO_FEW = {
    ("wine", "sentinel 0"), ("wine", "repeated rows"), ("wine", "shuffled"), ("diabetes", "shuffled"),
    ("wine", "sentinel -999"), ("wine", "sentinel 9999"),
}  # fmt: skip


def check(tmp_path, before: pd.DataFrame, now: pd.DataFrame):
    first, second = tmp_path / "before.parquet", tmp_path / "now.parquet"
    before.to_parquet(first, index=False)
    now.to_parquet(second, index=False)
    baseline = with_traits(profile_table(first, resources=ONE), first, resources=ONE)
    return validate(second, infer_schema(baseline), DataGate(drift="fail"), baseline=baseline, resources=ONE)


def found(tmp_path, table: str, fault: str, seed: int = 0):
    before, now = tables.halves(tables.TABLES[table](), seed)
    planted = tables.FAULTS[fault](now, np.random.default_rng(seed))
    if planted is None:
        return None
    validation = check(tmp_path, before, planted.reset_index(drop=True))
    changed = [c for c in now if len(now) == len(planted) and c in planted and not planted[c].equals(now[c])]
    return validation.findings, changed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "rule"),
    [("nine hours", "clock"), ("shuffled", "association"), ("a gap", "gap"),
     ("repeated rows", "repeated rows"), ("columns in another order", "order")],
)  # fmt: skip
def test_a_fault_is_named_for_what_it_is(tmp_path, monkeypatch, fault, rule):
    small = tables.transactions(4000)
    monkeypatch.setitem(tables.TABLES, "small", lambda: small)
    findings, changed = found(tmp_path, "small", fault)
    assert rule in {f.rule for f in findings}
    if len(changed) == 1:
        assert changed[0] in {f.column for f in findings if f.rule == rule}


@pytest.mark.slow
def test_halves_are_alike(tmp_path):
    small = tables.transactions(4000)
    for seed in range(1):
        assert check(tmp_path, *tables.halves(small, seed)).findings == ()


@pytest.mark.slow
@pytest.mark.parametrize("fault", tables.FAULTS)
@pytest.mark.parametrize("table", tables.TABLES)
def test_every_fault_in_every_table(tmp_path, table, fault):
    got = found(tmp_path, table, fault)
    if got is None or (table, fault) in TOO_FEW:
        pytest.skip("nothing to plant it in, or too few rows to show it")
    findings, changed = got
    assert findings
    touched = {f.column for f in findings if f.rule != "association"}
    assert not changed or touched & {*changed, ""} or {"association"} == {f.rule for f in findings}


@pytest.mark.slow
@pytest.mark.parametrize("table", tables.TABLES)
def test_nothing_is_found_where_nothing_was_planted(tmp_path, table):
    frame = tables.TABLES[table]()
    for seed in range(30):
        validation = check(tmp_path, *tables.halves(frame, seed))
        assert validation.findings == (), (seed, validation.findings)
