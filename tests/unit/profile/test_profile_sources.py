from dataclasses import replace
from datetime import UTC, datetime

import duckdb
import pytest

from evergreen.decisions import read
from evergreen.errors import DataError, GateStopped
from evergreen.ingest.manifest import Ingested, SourceTable, write_manifest
from evergreen.profile import infer_schema, profile_table, validate
from evergreen.profile.validation.counting import RuleCounts, added
from evergreen.profile.validation.sources import check_sources
from evergreen.profile.validation.task import Inputs, count_rows, decide, write_schema
from evergreen.profile.validation.validate import count_shard
from evergreen.project import parse_project
from evergreen.project.model import DataGate, DataRule

PROJECT = """\
name: shop
sources:
  orders:
    path: orders.csv
    time: at
    key: order
    freshness: 2d
    rows: {{min: {rows}}}
    references: [{{columns: customer, source: customers, to: id, max_share: {share}}}]
  customers: {{path: customers.csv}}
label: {{source: orders, column: paid}}
features: [{{name: f, source: orders, columns: [amount]}}]
gates:
  data:
    min_rows: 1
    rules:
    - {{name: amounts, source: orders, check: amount < 1000}}
    - {{name: paid-or-not, check: 'paid in (0, 1)'}}
"""
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def project(rows=1, share=0.5):
    return parse_project(PROJECT.format(rows=rows, share=share))


@pytest.fixture
def tables(tmp_path):
    sql = {
        "orders": 'SELECT i AS "order", i % 40 AS customer, i * 1.5 AS amount, i % 2 AS paid, '
        "TIMESTAMP '2026-02-28' + to_hours(i::INTEGER % 24) AS at FROM range(800) r(i)",
        "customers": "SELECT i::VARCHAR AS id FROM range(36) r(i)",
    }
    for name, query in sql.items():
        (tmp_path / "tables" / name).mkdir(parents=True)
        with duckdb.connect() as con:
            con.execute(f"COPY ({query}) TO '{tmp_path}/tables/{name}/part-00000.parquet' (FORMAT parquet)")
    held = {n: SourceTable((), "csv", 1, 1, "d", None, {}) for n in sql}
    write_manifest(tmp_path / "tables", Ingested(held, "2026-03-02T00:00:00"))
    return tmp_path / "tables"


def test_freshness_rows_references_and_rules(tables):
    found = {f.rule: f for f in check_sources(project(900, 0.05), tables, NOW).findings}
    assert set(found) == {"rows", "reference", "rule amounts"}
    reference = found["reference"]
    assert (reference.column, reference.count, reference.share) == ("orders.customer", 80, 0.1)
    assert reference.keys[0] == "order=36, customer=36" and reference.examples[0] == "36 (20)"
    assert found["rule amounts"].count == 800 - 667 and found["rule amounts"].severity == "fail"
    late = {f.rule: f for f in check_sources(project(), tables, datetime(2026, 3, 9, tzinfo=UTC)).findings}
    assert late["freshness"].observed == "8.0 days" and late["freshness"].threshold == "2d"
    assert {d.verdict for d in check_sources(project(), tables, NOW).decisions} == {"pass", "fail"}


def test_what_is_not_there_is_named(tables):
    wrong = PROJECT.replace("columns: customer", "columns: custumer").format(rows=1, share=1)
    with pytest.raises(DataError, match="Did you mean 'customer'"):
        check_sources(parse_project(wrong), tables, NOW)
    wrong = PROJECT.replace("amount < 1000", "amont < 1000").format(rows=1, share=1)
    with pytest.raises(DataError, match="amounts"):
        check_sources(parse_project(wrong), tables, NOW)


@pytest.fixture
def broken(table):
    world = (
        "SELECT i AS id, i % 90 AS age, 'c' || (i % 3) AS colour, {more} AS x FROM range(1000) r(i) "
        "UNION ALL SELECT {twin}, 5, '{colour}', 0 FROM range(60)"
    )
    before = table(world.format(more="i", twin="1000 + range", colour="c1"), "before")
    baseline = profile_table(before, {"id": "key"})
    now = table(world.format(more="CASE WHEN i % 4 = 0 THEN 1e9 ELSE i END", twin="7", colour="new"), "now")
    return baseline, infer_schema(baseline), now


@pytest.mark.slow
@pytest.mark.parametrize("shards", [1, 3])
def test_shards_count_what_the_whole_counts(broken, shards):
    baseline, schema, path = broken
    gate = DataGate(rules=[DataRule(name="old", check="age > 3", max_share=0.01)])
    own = profile_table(path, {"id": "key"})
    parts = [
        count_shard(path, schema, gate, profile=own, baseline=baseline, shard=i, shards=shards)
        for i in range(shards)
    ]
    whole = validate(path, schema, gate, profile=own, baseline=baseline)
    split = validate(path, schema, gate, profile=own, baseline=baseline, counts=added(parts))
    assert split.decisions == whole.decisions and split.findings == whole.findings
    rules = {f.rule: f for f in whole.findings}
    assert {"key", "domain", "rule old"} <= set(rules) and rules["key"].count == 60
    assert rules["rule old"].count == 12 * 4 and rules["rule old"].keys


def test_shards_that_do_not_belong_together(broken):
    _, schema, path = broken
    own = profile_table(path)
    part = count_shard(path, schema, DataGate(), profile=own, shard=0, shards=2)
    with pytest.raises(DataError, match="every shard once"):
        added([part])
    with pytest.raises(DataError, match="every shard once"):
        added([part, part])
    whole = replace(part, shards=(1, (0,)))
    with pytest.raises(DataError, match="same inputs"):
        validate(path, schema, DataGate(), profile=own, counts=whole)


@pytest.mark.slow
def test_the_components_leave_their_record_before_they_stop(tables, tmp_path, broken):
    baseline, schema, path = broken
    settings = parse_project(
        PROJECT.replace("paid in (0, 1)", "age < 80")
        .format(rows=1, share=1)
        .replace("amount < 1000", "amount < 2e3")
    )
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "profile.json").write_text(baseline.to_json())
    (bundle / "schema.yaml").write_text(schema.to_yaml())
    own = tmp_path / "profile.json"
    own.write_text(profile_table(path, {"id": "key"}).to_json())
    chosen = write_schema(own, bundle, tmp_path / "schema.yaml", tmp_path / "schema.html")
    assert chosen == schema and "This table" in (tmp_path / "schema.html").read_text()
    inputs = Inputs(path, own, tmp_path / "schema.yaml", bundle, tables)
    counts = [tmp_path / f"counts{i}.json" for i in range(2)]
    for i, file in enumerate(counts):
        assert count_rows(settings, inputs, file, i, 2) == RuleCounts.read(file)
    with pytest.raises(GateStopped, match="repeat a value of 'id'"):
        decide(settings, replace(inputs, counts=tuple(counts)), tmp_path / "d.json", tmp_path / "r.html")
    checks = {d.check: d.verdict for d in read(tmp_path / "d.json")}
    assert (
        checks["key(id)"] == checks["rule paid-or-not"] == "fail"
        and checks["reference(orders.customer)"] == "pass"
    )
    assert "Failures" in (tmp_path / "r.html").read_text()
    with pytest.raises(DataError, match="no counts"):
        RuleCounts.read(own)
