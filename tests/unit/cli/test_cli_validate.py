import json

import pytest

from evergreen.cli.__main__ import run


@pytest.fixture
def files(tmp_path):
    import numpy as np

    def write(name, seed, factor=1.0, city="Bonn"):
        rng = np.random.default_rng(seed)
        rows = [
            f"{i},{rng.normal(50, 9) * factor:.2f},{rng.choice(['Rome', 'Oslo', city])}" for i in range(400)
        ]
        path = tmp_path / name
        path.write_text("id,price,city\n" + "\n".join(rows) + "\n")
        return str(path)

    return write


@pytest.mark.slow
def test_validate_exits_by_what_it_found(files, tmp_path, capsys):
    before, same, other = (
        files("before.csv", 1),
        files("same.csv", 2),
        files("other.csv", 3, 2.54, "Atlantis"),
    )
    assert run(["validate", same, "--baseline", before, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []
    page = tmp_path / "page.html"
    assert (
        run(["validate", other, "--baseline", before, "--json", "--html", str(page), "--slice", "city"]) == 1
    )
    record = json.loads(capsys.readouterr().out)
    assert record["rows"] == record["baseline_rows"] == 400
    assert {"rule", "column", "slice", "severity", "observed", "threshold", "count", "share", "keys"} <= set(
        record["findings"][0]
    )
    assert {(f["rule"], f["column"]) for f in record["findings"]} >= {
        ("domain", "city"),
        ("drift psi", "price"),
    }
    assert "<svg" in page.read_text()
    assert run(["validate", other, "--baseline", before, "--mode", "warn"]) == 0
    assert "drift psi" in capsys.readouterr().out
    assert run(["diff", before, other]) == 0
    assert "price" in capsys.readouterr().out


def test_bad_input_is_told(files, tmp_path, capsys):
    table = files("t.csv", 1)
    (tmp_path / "none.csv").write_text("id,price,city\n")
    for arguments, words in (
        (["validate", table], "--baseline or --schema"),
        (["validate", "no.csv", "--baseline", table], "no such file"),
        (["validate", table, "--baseline", str(tmp_path / "none.csv")], "rows to compare with"),
        (["validate", table, "--baseline", table, "--mode", "loud"], "fail, warn or off"),
        (["validate", table, "--baseline", table, "--slice", "citty"], "Did you mean"),
    ):
        assert run(arguments) == 2
        assert words in capsys.readouterr().err


@pytest.mark.slow
def test_schema_infer_relax_and_diff(files, tmp_path, capsys):
    before, other = files("before.csv", 1), files("other.csv", 3, city="Atlantis")
    first, second = str(tmp_path / "schema.yaml"), str(tmp_path / "second.yaml")
    assert run(["schema", "infer", before, "--key", "id", "--out", first]) == 0
    assert run(["validate", other, "--schema", first]) == 1
    assert run(["schema", "relax", first, "--with", other, "--out", second, "--by", "me"]) == 0
    assert "city.domain" in capsys.readouterr().out
    assert run(["validate", other, "--schema", second]) == 0
    assert run(["schema", "diff", first, second, "--json"]) == 0
    changes = json.loads(capsys.readouterr().out.splitlines()[-1])["changes"]
    assert [c["column"] for c in changes] == ["city"]
    assert "by: me" in (tmp_path / "second.yaml").read_text()
