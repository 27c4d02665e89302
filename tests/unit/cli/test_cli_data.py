"""`evergreen data …` and `evergreen skew`: what they print, write and exit with."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evergreen.cli.__main__ import run

PROJECT = """\
name: shop
storage: {retention: {versions: 2}}
sources: {orders: {path: orders.parquet}}
label: {source: orders, column: y}
features: [{name: all, source: orders, columns: "*"}]
"""


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A project, its store, and three versions of `orders`."""
    from evergreen.history.versions.keep import keep_table
    from evergreen.project import parse_project

    monkeypatch.delenv("EVERGREEN_STORE", raising=False)
    (tmp_path / "project.yaml").write_text(PROJECT)
    for last in (5, 6, 7):
        pq.write_table(pa.table({"id": [1, 2, 3], "x": [4.0, 5.0, float(last)]}), tmp_path / "orders.parquet")
        keep_table(tmp_path / "orders.parquet", parse_project(PROJECT), "orders", str(tmp_path / "store"))
    return ["--project", str(tmp_path / "project.yaml"), "--store", str(tmp_path / "store")]


def printed(capsys, *arguments: str) -> dict:
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_versions_are_listed_shown_compared_restored_and_retained(kept, tmp_path, capsys):
    found = printed(capsys, "data", "versions", "orders", *kept)
    assert [(v["version"], v["rows"], v["made_by"]) for v in found["versions"]] == [
        (i, 3, "snapshot_data") for i in range(3)
    ]
    shown = printed(capsys, "data", "show", "orders", "--version", "0", "--out", str(tmp_path / "v"), *kept)
    assert shown["digest"] == found["versions"][0]["digest"]
    assert pq.read_table(tmp_path / "v" / "data")["x"].to_pylist() == [4.0, 5.0, 5.0]
    difference = ["data", "diff", "-2", "-1", "--table", "orders", "--key", "id", *kept]
    assert printed(capsys, *difference)["by_column"] == {"x": 1}
    assert run([*difference, "--html", str(tmp_path / "d.html")]) == 0
    assert "changed id=3 x: 6.0 → 7.0" in capsys.readouterr().out
    assert "<svg" in (tmp_path / "d.html").read_text()
    assert run(["data", "restore", "orders", "--version", "0", *kept]) == 0
    assert "version 0 is now version 3" in capsys.readouterr().out
    plan = printed(capsys, "data", "retain", "orders", *kept)
    assert {v["reason"] for v in plan["versions"]} == {"younger than 1d", "the latest"}
    assert plan["removed"] == 0


def test_what_is_not_kept_or_not_said_is_bad_input(kept, capsys):
    for arguments, words in (
        (["data", "versions", "nothing", *kept], "no snapshot is kept there"),
        (["data", "show", "orders", "--version", "9", *kept], "expected one from 0 to 2"),
        (["data", "show", "orders", "--as-of", "soon", *kept], "a moment such as"),
        (["data", "restore", "orders", *kept], "--version N or --as-of TIME"),
        (["data", "retain", "orders", "--age", "old", *kept], "a duration such as"),
        (["data", "versions", "orders"], "the project whose table it is"),
    ):
        assert run(arguments) == 2, arguments
        assert words in capsys.readouterr().err


@pytest.mark.slow
def test_skew_exits_by_what_it_found_and_names_both_data_sets(kept, tmp_path, capsys):
    served = tmp_path / "served.csv"
    served.write_text("id,x\n" + "".join(f"{i},{x}\n" for i, x in ((1, 4.0), (2, 5.0), (3, 7.0))))
    training = f"{tmp_path}/store/snapshots/shop/orders@2"
    same = printed(capsys, "skew", training, str(served), "--key", "id")
    assert (same["training"]["version"], same["rows"]["matched"], same["findings"]) == (2, 3, [])
    old = training.replace("@2", "@0")
    page = tmp_path / "skew.html"
    assert run(["skew", old, str(served), "--key", "id", "--json", "--html", str(page)]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["column"], finding["count"], finding["keys"]) == ("x", 1, ["id=3"])
    assert "http" not in page.read_text().replace("http://www.w3.org", "")
    assert run(["skew", old, str(served), "--key", "idd"]) == 2
    assert "Did you mean 'id'?" in capsys.readouterr().err
    assert run(["skew", old, str(served), "--tolerance", "long"]) == 2
