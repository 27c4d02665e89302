"""Rules, references and freshness of a project file against its data."""

from evergreen.project.check import check_project

PROJECT = """\
name: shop
sources:
  orders:
    path: orders.csv
    freshness: 2d
    references: [{columns: custumer, source: customers, to: id}, {columns: paid, source: customer}]
  customers: {path: customers.csv}
label: {source: orders, column: paid}
features: [{name: f, source: orders, columns: [amount]}]
gates:
  data:
    rules:
    - {name: fine, check: amount < 1000 and paid in ('a', 'b')}
    - {name: wrong, check: amont < 1000}
    - {name: elsewhere, source: customers, check: amount < 1000}
    - {name: nowhere, source: custmers, check: 'true'}
"""


def test_every_fault_with_its_field(tmp_path):
    rows = "\n".join(f"{i % 7},{i * 1.5},{'ab'[i % 2]}" for i in range(60))
    (tmp_path / "orders.csv").write_text(f"customer,amount,paid\n{rows}\n")
    (tmp_path / "customers.csv").write_text("id,city\n" + "\n".join(f"{i},Bonn" for i in range(9)) + "\n")
    (tmp_path / "project.yaml").write_text(PROJECT.replace("in ('a', 'b')", "= 'a'"))
    found = {p.field: p for p in check_project(tmp_path / "project.yaml")}
    assert set(found) == {
        "sources.orders.freshness", "sources.orders.references[0].columns[0]",
        "sources.orders.references[1].source", "gates.data.rules[1].check", "gates.data.rules[2].check",
        "gates.data.rules[3].source",
    }  # fmt: skip
    assert "amont" in found["gates.data.rules[1].check"].found
    assert "customer" in found["sources.orders.references[0].columns[0]"].suggestion
