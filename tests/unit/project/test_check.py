"""`check`: a project file against its data and its estimator; every fault, each with its line."""

from pathlib import Path

import duckdb
import pytest

from evergreen.errors import ProjectError
from evergreen.project.check import check_project

PROJECT = """\
name: shop
sources:
  orders:
    path: orders.csv
    time: placed
    key: order_id
  visits:
    path: visits.parquet
    time: at
  customers:
    path: customers.jsonl
entity: customer
time: placed
label:
  source: orders
  column: returned
  positive: "yes"
task: binary
features:
  - name: order
    source: orders
    columns: [amount, country]
  - name: visits
    source: visits
    aggregates:
      - {functions: [count], windows: [7d]}
      - {column: seconds, functions: [sum], windows: [7d], where: seconds > 0}
  - name: customer
    source: customers
    columns: "*"
slices:
  - column: country
  - column: visits__rows__count_7d
    edges: [1, 5]
model:
  estimator: sklearn.linear_model.LogisticRegression
  params: {C: 0.5}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three small tables that fit the project."""
    con = duckdb.connect()
    orders = """SELECT i AS order_id, i % 20 AS customer,
        TIMESTAMP '2024-01-01' + to_days(i::INTEGER) AS placed, i * 1.5 AS amount,
        ['DE', 'FR'][1 + i % 2] AS country, CASE WHEN i % 3 = 0 THEN 'yes' ELSE 'no' END AS returned,
        1 AS one, NULL AS none, ['a', 'b', 'c'][1 + i % 3] AS three
        FROM range(90) t(i)"""
    visits = """SELECT i % 20 AS customer, TIMESTAMP '2024-01-01' + to_hours(i::INTEGER) AS at, i AS seconds,
        'x' AS page FROM range(500) t(i)"""
    customers = "SELECT i AS customer, 18 + i AS age FROM range(20) t(i)"
    con.execute(f"COPY ({orders}) TO '{tmp_path}/orders.csv'")
    con.execute(f"COPY ({visits}) TO '{tmp_path}/visits.parquet'")
    con.execute(f"COPY ({customers}) TO '{tmp_path}/customers.jsonl' (FORMAT json)")
    return tmp_path


def findings(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """What `check` says about the project after some changes to its text."""
    text = PROJECT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "project.yaml").write_text(text)
    return [str(problem) for problem in check_project(folder / "project.yaml")]


def test_a_project_that_fits_its_data_has_no_findings(folder: Path) -> None:
    assert findings(folder) == []


CASES = {
    "no such file": (
        [("visits.parquet", "visit.parquet")],
        "line 8: sources.visits.path: nothing is at FOLDER/visit.parquet; expected data that can be used. "
        "Did you mean 'visits.parquet'?",
    ),
    "no label column": (
        [("column: returned", "column: retuned")],
        "line 16: label.column: no column 'retuned'; expected a column of 'orders': "
        "order_id, customer, placed, amount, country, returned, one, none or three. Did you mean `returned`?",
    ),
    "no decisions where they are named": (
        [('positive: "yes"', 'positive: "yes"\n  decisions: reviewed')],
        "line 18: label.decisions: nothing is at FOLDER/reviewed; expected decisions as JSON lines. "
        "While nothing is decided yet, leave it out or make an empty file there.",
    ),
    "no entity column": (
        [("entity: customer", "entity: custmer")],
        "line 12: entity[0]: no column 'custmer'; expected a column of 'orders': "
        "order_id, customer, placed, amount, country, returned, one, none or three. Did you mean `customer`?",
    ),
    "no time column": (
        [("    time: at", "    time: when")],
        "line 9: sources.visits.time: no column 'when'; "
        "expected a column of 'visits': customer, at, seconds or page",
    ),
    "time that is no time": (
        [("    time: at", "    time: page")],
        "line 9: sources.visits.time: column 'page': it is the time but holds text values; "
        "expected timestamps or dates",
    ),
    "no feature column": (
        [("[amount, country]", "[amount, contry]")],
        "line 22: features[0].columns[1]: no column 'contry'; expected a column of 'orders': "
        "order_id, customer, placed, amount, country, returned, one, none or three. Did you mean `country`?",
    ),
    "sum of text": (
        [("column: seconds, functions", "column: page, functions")],
        "line 27: features[1].aggregates[1].functions: sum of 'page', which is VARCHAR; "
        "expected a column of numbers, or count or distinct",
    ),
    "where that does not bind": (
        [("where: seconds > 0", "where: secnds > 0")],
        "line 27: features[1].aggregates[1].where: DuckDB says: Binder Error: ",
    ),
    "key that repeats": (
        [("key: order_id", "key: customer")],
        "line 6: sources.orders.key: key customer: duplicate keys: 90 rows share theirs with another",
    ),
    "label with one class": (
        [("column: returned\n  positive: \"yes\"\ntask: binary", "column: one")],
        "line 16: label.column: 'one' has the same value in every row; "
        "expected at least two different values",
    ),
    "label with no value": (
        [("column: returned\n  positive: \"yes\"\ntask: binary", "column: none")],
        "line 16: label.column: no row has a value in 'none'; expected labels",
    ),
    "positive that is no value": (
        [('positive: "yes"', "positive: true")],
        "line 17: label.positive: true; expected one of the values of 'returned': no or yes",
    ),
    "many values for a binary task": (
        [("column: returned\n  positive: \"yes\"", "column: three")],
        "line 16: label.column: 3 different values in 'three' for a binary task; "
        "expected two values, or `task: multiclass`",
    ),
    "text for a regression": (
        [("column: returned\n  positive: \"yes\"\ntask: binary", "column: three\ntask: regression"),
         ("  estimator: sklearn.linear_model.LogisticRegression\n  params: {C: 0.5}", "  seed: 1")],
        "line 16: label.column: 'three' of type VARCHAR for a regression; expected numbers",
    ),
    "no slice column": (
        [("column: visits__rows__count_7d", "column: visits__rows__count_8d")],
        "line 33: slices[1].column: no column 'visits__rows__count_8d'; "
        "expected a feature or a column of the label's source: ",
    ),
    "no repair column": (
        [("task: binary", "task: binary\nrepair: {visits: {pge: {invalid: drop}}}")],
        "line 19: repair.visits.pge: no column 'pge'; "
        "expected a column of 'visits': customer, at, seconds or page. "
        "Did you mean `page`?",
    ),
    "sql that does not run": (
        [("  customers:\n    path: customers.jsonl", "  customers:\n    sql: SELECT nothing FROM visits")],
        "line 11: sources.customers.sql: Binder Error: ",
    ),
    "no estimator of that name": (
        [("LogisticRegression", "LogisticRegresion")],
        "line 36: model.estimator: no class `LogisticRegresion` in sklearn.linear_model; "
        "expected an estimator of scikit-learn. Did you mean `LogisticRegression`?",
    ),
    "no module of that name": (
        [("linear_model.Log", "linear_models.Log")],
        "line 36: model.estimator: no module `sklearn.linear_models`; "
        "expected an import path in scikit-learn. "
        "Did you mean `sklearn.linear_model`?",
    ),
    "regressor for classes": (
        [("LogisticRegression\n  params: {C: 0.5}", "Ridge")],
        "line 36: model.estimator: `Ridge` for a binary task; expected a classifier",
    ),
    "transformer for an estimator": (
        [("linear_model.LogisticRegression\n  params: {C: 0.5}", "preprocessing.StandardScaler")],
        "line 36: model.estimator: `sklearn.preprocessing.StandardScaler`, which has no `predict`; "
        "expected an estimator of scikit-learn",
    ),
    "no parameter of that name": (
        [("{C: 0.5}", "{c: 0.5}")],
        "line 37: model.params.c: `LogisticRegression` takes no `c`; expected one of C, ",
    ),
    "parameter of a wrong value": (
        [("{C: 0.5}", "{C: -1}")],
        "line 37: model.params.C: -1; expected a float in the range (0.0, inf]",
    ),
    "search space of no parameter": (
        [("{C: 0.5}", "{C: 0.5}\n  tune: {space: {D: {low: 1, high: 2}}}")],
        "line 38: model.tune.space.D: `LogisticRegression` takes no `D`; expected one of C, ",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_each_fault_is_found_alone(folder: Path, case: str) -> None:
    changes, expected = CASES[case]
    found = findings(folder, *changes)
    assert len(found) == 1, found
    assert found[0].startswith(expected.replace("FOLDER", str(folder))), found[0]


def test_all_faults_come_at_once_in_the_order_of_the_file(folder: Path) -> None:
    found = findings(
        folder,
        ("visits.parquet", "visit.parquet"),
        ("[amount, country]", "[amont, country]"),
        ("{C: 0.5}", "{c: 1}"),
    )
    assert [line.split(":")[0] for line in found] == ["line 8", "line 22", "line 37"]


def test_a_corrupt_file_an_empty_file_and_an_empty_table(folder: Path) -> None:
    (folder / "visits.parquet").write_bytes(b"PAR1 not really")
    (folder / "customers.jsonl").write_bytes(b"")
    (folder / "orders.csv").write_text("order_id,customer,placed,amount,country,returned\n")
    found = findings(folder)
    assert len(found) >= 3
    assert any("sources.visits.path" in f and "not a Parquet file" in f for f in found)
    assert any("sources.customers.path" in f and "empty" in f for f in found)
    assert any("sources.orders.path: a table without rows" in f for f in found)


def test_values_that_do_not_fit_their_type_are_found_unless_repaired(folder: Path) -> None:
    text = (folder / "orders.csv").read_text().replace(",3.0,", ",three,")
    (folder / "orders.csv").write_text(text)
    (found,) = findings(folder)
    assert "column 'amount': mixed types" in found
    assert (
        findings(
            folder,
            ("task: binary", "task: binary\nrepair: {orders: {amount: {type: number, invalid: missing}}}"),
        )
        == []
    )


def test_a_join_of_numbers_with_text_is_found(folder: Path) -> None:
    (folder / "customers.jsonl").write_text('{"customer": "c1", "age": 20}\n{"customer": "c2", "age": 30}\n')
    (found,) = findings(folder)
    assert "'customer' is BIGINT in 'orders' and VARCHAR in 'customers'" in found


def test_what_is_on_an_object_store_is_not_looked_at(folder: Path) -> None:
    assert findings(folder, ("visits.parquet", "s3://bucket/visits.parquet")) == []


@pytest.mark.slow
def test_a_query_over_a_query_is_checked_and_one_over_itself_is_told(folder: Path) -> None:
    older = "  older:\n    sql: SELECT DISTINCT customer, 1 AS age FROM visits"
    ladder = f"  customers:\n    sql: SELECT * FROM older\n{older}"
    assert findings(folder, ("  customers:\n    path: customers.jsonl", ladder)) == []
    circle = ladder.replace("FROM visits", "FROM customers")
    found = findings(folder, ("  customers:\n    path: customers.jsonl", circle))
    assert any("it reads itself" in f for f in found)


def test_a_file_that_is_wrong_in_itself_is_told_first(folder: Path) -> None:
    with pytest.raises(ProjectError, match="unknown source 'visit'"):
        findings(folder, ("    source: visits", "    source: visit"))
