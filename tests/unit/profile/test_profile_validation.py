from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evergreen.decisions import read, write
from evergreen.errors import DataError
from evergreen.profile import infer_schema, profile_table, validate
from evergreen.profile.baseline import baseline_profile, schema_for
from evergreen.profile.schema.model import ColumnSchema, Schema
from evergreen.project.model import DataGate

ROLES = {"id": "key", "y": "label"}


def world(seed, n=3000):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": np.arange(n),
            "colour": rng.choice(["red", "green", "blue"], n, p=[0.6, 0.3, 0.1]),
            "city": [f"city {int(i)}" for i in rng.zipf(1.6, n).clip(max=120)],
            "age": rng.integers(18, 90, n),
            "money": np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(3, 1, n)),
            "score": rng.normal(size=n),
            "flag": rng.random(n) < 0.3,
            "y": rng.random(n) < 0.2,
        }
    )


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    path = tmp_path_factory.mktemp("baseline") / "baseline.parquet"
    world(1).to_parquet(path)
    profile = profile_table(path, ROLES)
    return profile, infer_schema(profile)


def check(table, baseline, frame, gate=None, **more):
    profile, schema = baseline
    path = table(frame, "now")
    return validate(
        path, schema, gate or DataGate(), profile=profile_table(path, ROLES), baseline=profile, **more
    )


def against(validation):
    return {(f.rule, f.column): f for f in validation.findings}


@pytest.mark.slow
def test_another_sample_of_the_same_world_passes(table, baseline):
    for seed in range(2, 7):
        for n in (300, 3000):
            validation = check(table, baseline, world(seed, n))
            if n == 300:
                assert {f.rule for f in validation.findings} <= {"volume"}
            else:
                assert validation.findings == ()
            assert not [d for d in validation.decisions if d.verdict == "fail"]


def with_nan(frame):
    frame.loc[:899, "score"] = np.inf
    return frame


PLANTED = {
    "a column is gone": (
        lambda f: f.drop(columns="age"),
        ("column", "age"), "fail",
    ),
    "a column is new": (
        lambda f: f.assign(fresh=f.age * 2),
        ("new column", "fresh"), "warn",
    ),
    "numbers became text": (
        lambda f: f.assign(age=f.age.astype(str) + " y"),
        ("type", "age"), "fail",
    ),
    "half are missing": (
        lambda f: f.assign(age=f.age.astype("Int64").mask(f.id % 2 == 0)),
        ("missing", "age"), "fail",
    ),
    "infinities": (
        with_nan,
        ("invalid", "score"), "fail",
    ),
    "an unknown category": (
        lambda f: f.assign(colour=f.colour.mask(f.id < 90, "violet")),
        ("domain", "colour"), "fail",
    ),
    "a rare category": (
        lambda f: f.assign(colour=f.colour.mask(f.id < 9, "violet")),
        ("domain", "colour"), "warn",
    ),
    "another unit": (
        lambda f: f.assign(age=f.age * 12),
        ("range", "age"), "fail",
    ),
    "a swapped sign": (
        lambda f: f.assign(age=-f.age),
        ("range", "age"), "fail",
    ),
    "a repeated key": (
        lambda f: f.assign(id=f.id.mask(f.id == 7, 6)),
        ("key", "id"), "fail",
    ),
    "a key without value": (
        lambda f: f.assign(id=f.id.astype("Int64").mask(f.id == 7)),
        ("missing", "id"), "fail",
    ),
    "a new label": (
        lambda f: f.assign(y=f.y.astype(object).mask(f.id > 0, True)),
        ("drift psi", "y"), "warn",
    ),
    "drift": (
        lambda f: f.assign(score=f.score + 1),
        ("drift psi", "score"), "warn",
    ),
    "swapped columns": (
        lambda f: f.assign(age=f.money, money=f.age),
        ("drift psi", "money"), "warn",
    ),
    "new texts": (
        lambda f: f.assign(city=f.city.mask(f.id % 5 == 0, "atlantis")),
        ("new values", "city"), "warn",
    ),
    "a constant": (
        lambda f: f.assign(flag=True),
        ("constant", "flag"), "warn",
    ),
    "a constant label": (
        lambda f: f.assign(y=True),
        ("constant", "y"), "fail",
    ),
    "an empty column": (
        lambda f: f.assign(money=np.nan),
        ("max_missing", "money"), "fail",
    ),
    "few rows": (
        lambda f: f[:40],
        ("min_rows", ""), "fail",
    ),
    "far fewer rows": (
        lambda f: f[:200],
        ("volume", ""), "fail",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("fault", PLANTED)
def test_planted_faults_are_found(table, baseline, fault):
    plant, where, severity = PLANTED[fault]
    found = against(check(table, baseline, plant(world(7))))
    assert where in found, sorted(found)
    assert found[where].severity == severity
    assert where[1] in found[where].reason


def test_findings_count_and_name_rows(table, baseline):
    frame = world(7)
    frame.loc[[5, 17], "colour"] = "violet"
    assert ("domain", "colour") not in against(check(table, baseline, frame))  # so few are chance
    profile, schema = baseline
    finding = against(check(table, (profile, replace(schema, rows=0)), frame))["domain", "colour"]
    assert (finding.count, finding.share, finding.threshold) == (2, 2 / 3000, 0.01)
    assert finding.keys == ("id=5", "id=17") and finding.examples == ("violet (2)",)
    decision = finding.decision()
    assert decision.check == "domain(colour)" and decision.evidence == "rows id=5; id=17"
    assert "violet" not in decision.reason


def test_rows_without_a_key_are_named_by_number(table):
    path = table("SELECT i - 3 AS x FROM range(6) r(i)")
    schema = Schema((ColumnSchema("x", "integer", minimum=0),))
    (finding,) = validate(path, schema, DataGate(min_rows=1)).findings
    assert finding.keys == ("row 1", "row 2", "row 3")


@pytest.mark.slow
def test_modes(table, baseline):
    frame = world(7).assign(score=lambda f: f.score + 1, colour="violet")
    for mode, drift, expected in (
        ("fail", "fail", {"fail"}),
        ("warn", "warn", {"warn"}),
        ("off", "off", {"skip"}),
    ):
        found = against(check(table, baseline, frame, DataGate(mode=mode, drift=drift)))
        assert {found["domain", "colour"].severity, found["drift psi", "score"].severity} == expected
    mixed = against(check(table, baseline, frame, DataGate(mode="off", drift="fail")))
    assert mixed["domain", "colour"].severity == "skip" and mixed["drift psi", "score"].severity == "fail"


def test_small_data_needs_more_than_chance(table, baseline):
    rng = np.random.default_rng(0)
    frame = world(3, 100)
    frame["score"] += 0.3 * rng.random(100)
    calm = check(table, baseline, frame, DataGate(psi_warn=0.0001, psi_alarm=0.0002))
    assert not [f for f in calm.findings if f.rule == "drift psi"]
    frame["score"] += 3
    finding = against(check(table, baseline, frame))["drift psi", "score"]
    assert "small data: 100 rows" in finding.reason


def test_without_a_baseline(table):
    path = table(world(1))
    profile = profile_table(path, ROLES)
    validation = validate(path, infer_schema(profile), DataGate(), profile=profile)
    assert validation.findings == () and validation.drifts == ()
    verdicts = {d.check: d.verdict for d in validation.decisions}
    assert verdicts["drift"] == "skip"
    assert {v for c, v in verdicts.items() if c != "drift"} == {"pass"}


@pytest.mark.slow
def test_serving_rows_need_no_label(table, baseline):
    frame = world(7).drop(columns="y")
    assert not against(check(table, baseline, frame, environment="serving"))
    assert ("column", "y") in against(check(table, baseline, frame))


def test_types_that_say_the_same(table):
    schema = Schema((
        ColumnSchema("n", "number", minimum=0, maximum=9), ColumnSchema("w", "integer"),
        ColumnSchema("e", "integer"),
        ColumnSchema("t", "timestamp", minimum="1960-01-01", maximum="1965-01-01T00:00:00+00:00"),
        ColumnSchema("b", "boolean", domain=(True,)), ColumnSchema("o", "nested"),
    ))  # fmt: skip
    path = table(
        "SELECT i AS n, i * 1.0::DOUBLE AS w, NULL AS e, '1964-12-31'::DATE AS t, true AS b, [i] AS o "
        "FROM range(10) r(i)"
    )
    assert {f.rule for f in validate(path, schema, DataGate(min_rows=1, max_missing=1)).findings} == {
        "constant"
    }
    path = table(
        "SELECT i AS n, i + 0.5::DOUBLE AS w, 1 AS e, '1965-01-02'::DATE AS t, false AS b, [i] AS o "
        "FROM range(10) r(i)",
        "bad",
    )
    found = against(validate(path, schema, DataGate(min_rows=1)))
    assert {("type", "w"), ("range", "t"), ("domain", "b")} <= set(found)
    assert found["type", "w"].count == 10


def test_a_near_name_is_suggested(table):
    path = table("SELECT 1 AS household_idd FROM range(60)")
    found = against(validate(path, Schema((ColumnSchema("household_id", "integer"),)), DataGate()))
    assert "Did you mean 'household_idd'?" in found["column", "household_id"].reason


def test_odd_names_and_empty_tables(table):
    schema = Schema(
        (ColumnSchema('a"b', "category", domain=("x'y",)), ColumnSchema("select", "number", maximum=1))
    )
    path = table("""SELECT 'z' AS "a""b", 5.0 AS "select" FROM range(100)""")
    assert {("domain", 'a"b'), ("range", "select")} <= set(against(validate(path, schema, DataGate())))
    empty = table("""SELECT 'z' AS "a""b", 5.0 AS "select" WHERE false""", "empty")
    assert {f.rule for f in validate(empty, schema, DataGate()).findings} == {"min_rows"}


def test_decisions_survive_their_file(table, baseline, tmp_path):
    decisions = check(table, baseline, world(7).assign(score=1e300)).decisions
    write(tmp_path / "decisions.json", decisions)
    assert read(tmp_path / "decisions.json") == list(decisions)


def test_the_bundle_holds_the_baseline(table, tmp_path, baseline):
    profile, schema = baseline
    bundle = tmp_path / "bundle"
    assert baseline_profile(bundle) is None and schema_for(profile, bundle) == schema
    bundle.mkdir()
    assert baseline_profile(bundle) is None and schema_for(profile, bundle) == schema
    edited = Schema((ColumnSchema("id", "integer"),), version=2)
    (bundle / "schema.yaml").write_text(edited.to_yaml())
    (bundle / "profile.json").write_text(profile.to_json())
    assert baseline_profile(bundle) == profile and schema_for(profile, bundle) == edited
    (bundle / "profile.json").write_text("{}")
    with pytest.raises(DataError, match=r"profile\.json"):
        baseline_profile(bundle)
