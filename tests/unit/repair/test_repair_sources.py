"""The sources of a project: landed as written, repaired into an overlay, read from there; and the gate."""

import json

import pyarrow.parquet as pq
import pytest

from evergreen.decisions import read
from evergreen.errors import DataError, GateStopped
from evergreen.history.task import build_with_report
from evergreen.ingest.ingest import ingest, parse_as_of
from evergreen.ingest.overlay import layered
from evergreen.project.check import check_project
from evergreen.project.load import dump_project
from evergreen.project.model import Project
from evergreen.repair.task import Folders, repair_with_report

ROWS = "".join(
    f"{i},{['₩1,000', '2000', 'Zero', ' 3,000'][i % 4]},{['red', 'Red ', 'blue'][i % 3]},"
    f"{(i % 28) + 1:02d}.01.2024,{['yes', 'no', 'Y', 'N', '1'][i % 5]}\n"
    for i in range(60)
).replace("₩1,000", '"₩1,000"').replace(" 3,000", '" 3,000"')  # fmt: skip
REPAIR = {
    "sales": {
        "amount": {"number": {}, "max_shift": 0.5},
        "colour": {"text": {"case": "lower"}},
        "day": {"type": "date", "time": {}},
        "label": {"boolean": {}},
    }
}


def project_of(folder, rows=ROWS, repair=REPAIR, **sections):
    path = folder / "sales.csv"
    path.write_text(f"id,amount,colour,day,label\n{rows}")
    sources = {
        "sales": {"path": str(path), "key": "id", "time": "day", **sections.pop("source", {})},
        "totals": {"sql": "SELECT colour, sum(amount) AS total FROM sales GROUP BY colour"},
        "twice": {"sql": "SELECT colour, 2 * total AS double FROM totals"},
        **sections.pop("sources", {}),
    }
    features = [
        {"name": "own", "source": "sales", "columns": ["amount", "colour"]},
        {"name": "twice", "source": "twice", "on": ["colour"], "columns": ["double"]},
    ]
    base = {
        "name": "shop",
        "sources": sources,
        "time": "day",
        "label": {"source": "sales", "column": "label"},
        "features": features,
        "repair": repair,
        "resources": {"memory": "256MiB", "threads": 1},
    }
    return Project.model_validate({**base, **sections})


def folders(root):
    names = ("overlay", "audit", "quarantine", "decisions.json", "report.html")
    return Folders(*(root / name for name in names))


def repair(project, root, **options):
    ingested = ingest(project, root / "tables", **options)
    return ingested, repair_with_report(project, root / "tables", folders(root))


@pytest.mark.slow
def test_columns_are_landed_and_repaired_and_sql_runs_after_that(tmp_path):
    project = project_of(tmp_path)
    ingested, done = repair(project, tmp_path)
    assert (ingested.landed, ingested.pending) == (("sales",), ("totals", "twice"))
    landed = pq.read_table(tmp_path / "tables" / "sales").to_pylist()
    assert landed[0]["amount"] == "₩1,000" and landed[1]["colour"] == "Red "
    assert done.quarantined == 0 and done.changed > 100
    manifest = json.loads((tmp_path / "overlay" / "manifest.json").read_text())
    assert list(manifest["sources"]) == ["sales", "totals", "twice"]
    assert manifest["sources"]["sales"]["columns"]["amount"] == "DOUBLE"
    totals = {r["colour"]: r["total"] for r in pq.read_table(tmp_path / "overlay" / "totals").to_pylist()}
    assert set(totals) == {"red", "blue"} and sum(totals.values()) == 15 * 6000
    changes = pq.read_table(tmp_path / "audit" / "sales" / "changes.parquet").to_pylist()
    assert {"column": "amount", "rule": "number word", "from": "Zero", "to": "0.0"}.items() <= next(
        c for c in changes if c["from"] == "Zero"
    ).items()
    assert changes[0]["keys"][0].startswith("id=")
    decisions = read(tmp_path / "decisions.json")
    assert {d.gate for d in decisions} == {"repair"} and {d.verdict for d in decisions} == {"pass"}
    page = (tmp_path / "report.html").read_text()
    assert "Before and after" in page and "sales.amount" in page and "<svg" in page


@pytest.mark.slow
def test_the_training_set_reads_the_overlay_and_refuses_to_do_without(tmp_path):
    project = project_of(tmp_path)
    repair(project, tmp_path)
    where = {"store": str(tmp_path / "store")}
    with pytest.raises(DataError, match=r"sales, totals, twice: not repaired yet.*Run repair_data first"):
        build_with_report(project, tmp_path / "tables", tmp_path / "ts", tmp_path / "b.html", **where)
    result = build_with_report(
        project,
        tmp_path / "tables",
        tmp_path / "ts",
        tmp_path / "b.html",
        repaired=tmp_path / "overlay",
        **where,
    )
    table = pq.read_table(tmp_path / "ts" / "data").to_pandas()
    assert (
        result.rows == 60 and table["own__amount" if "own__amount" in table else "amount"].dtype == "float64"
    )


@pytest.mark.slow
def test_nothing_to_repair_is_an_empty_overlay_that_changes_nothing(tmp_path):
    clean = "".join(f"{i},{i}.5,red,2024-01-0{i % 9 + 1},{i % 2}\n" for i in range(20))
    project = project_of(tmp_path, clean, {"sales": {"amount": {"invalid": "missing"}}})
    ingested, done = repair(project, tmp_path)
    assert (ingested.landed, ingested.pending, done.changed) == ((), (), 0)
    assert [p.name for p in (tmp_path / "overlay").iterdir()] == ["manifest.json"]
    assert [d.verdict for d in read(tmp_path / "decisions.json")] == ["pass"]
    with layered(tmp_path / "tables", tmp_path / "overlay") as folder:
        assert {p.name for p in folder.iterdir()} >= {"sales", "totals", "twice", "manifest.json"}


@pytest.mark.slow
def test_the_gate_stops_after_everything_is_written(tmp_path):
    project = project_of(
        tmp_path, repair={"sales": {**REPAIR["sales"], "amount": {"number": {}, "max_shift": 0}}}
    )
    with pytest.raises(GateStopped, match=r"gate repair stopped the run: sales.amount: the repair moves"):
        repair(project, tmp_path)
    assert (tmp_path / "report.html").exists() and read(tmp_path / "decisions.json")[0].verdict == "fail"
    assert (tmp_path / "overlay" / "sales").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "source", "message"),
    [
        (
            '1,"1,0",red,01.01.2199,yes\n2,5,red,02.01.2024,no\n',
            {},
            "column 'day': 1 of 2 rows lie in the future",
        ),
        ("1,1,red,01.01.2024,yes\n1,5,red,02.01.2024,no\n", {}, "key id: duplicate keys: 2 rows"),
        (
            "01,1,red,01.01.2024,yes\n1,5,red,02.01.2024,no\n",
            {"types": {"id": "text"}},
            "duplicate keys: 2 rows",
        ),
    ],
)
def test_checks_that_ingestion_left_are_done(tmp_path, rows, source, message):
    policies = {
        **REPAIR["sales"],
        "id": {"number": {}, "type": "integer"},
        "amount": {"number": {"decimal": ","}},
    }
    project = project_of(tmp_path, rows, {"sales": policies}, source=source)
    with pytest.raises(DataError, match=message):
        repair(project, tmp_path)
    assert message[:20] in (tmp_path / "report.html").read_text().replace("&#39;", "'")


@pytest.mark.slow
def test_future_rows_and_rows_after_as_of_are_left_out_when_the_policy_says(tmp_path):
    policies = {**REPAIR["sales"], "day": {"type": "date", "time": {}, "future": "drop"}}
    late = ROWS + "60,1,red,01.01.2199,yes\n"
    project = project_of(tmp_path, late, {"sales": policies})
    repair(project, tmp_path, as_of=parse_as_of("2024-01-20"))
    manifest = json.loads((tmp_path / "overlay" / "manifest.json").read_text())["sources"]["sales"]
    assert manifest["rows"] == 44 and set(manifest["dropped"]) == {
        "day is in the future",
        "day is after 2024-01-20 00:00:00",
    }


@pytest.mark.slow
def test_a_sql_source_can_have_a_policy_of_its_own(tmp_path):
    sources = {"labels": {"sql": "SELECT id, upper(colour) || ' ' AS shade FROM sales"}}
    features = [{"name": "shade", "source": "labels", "on": ["id"], "columns": ["shade"]}]
    policies = {**REPAIR, "labels": {"shade": {"text": {"case": "title"}}}}
    project = project_of(tmp_path, repair=policies, sources=sources, features=features)
    ingested, _ = repair(project, tmp_path)
    assert ingested.pending == ("labels",)
    assert set(pq.read_table(tmp_path / "overlay" / "labels")["shade"].to_pylist()) == {"Red", "Blue"}
    assert (tmp_path / "audit" / "labels" / "changes.parquet").exists()


@pytest.mark.slow
def test_check_sees_the_repaired_table_and_names_what_a_policy_gets_wrong(tmp_path):
    path = tmp_path / "project.yaml"
    path.write_text(dump_project(project_of(tmp_path)))
    assert check_project(path) == []
    wrong = {**REPAIR["sales"], "amount": {"number": {"unit": "cmx"}}}
    path.write_text(dump_project(project_of(tmp_path, repair={"sales": wrong})))
    found = check_project(path)
    assert any("repair.sales.amount" in p.field and "'cmx' is no unit" in p.found for p in found)
