"""`evergreen features FILE` works alone."""

import json

import pytest
from selection_world import table
from typer.testing import CliRunner

from evergreen.cli.app import app


@pytest.mark.slow
def test_a_file_by_itself(tmp_path):
    rows = table(200)[["id", "strong", "noise", "y"]].assign(told=lambda t: t["y"].str.upper())
    rows.to_csv(tmp_path / "rows.csv", index=False)
    arguments = ["features", str(tmp_path / "rows.csv"), "--label", "y", "--out", str(tmp_path / "page.html")]
    done = CliRunner().invoke(app, [*arguments, "--json"], standalone_mode=False)
    found = json.loads(done.stdout)
    assert [(f["column"], f["severity"], f["rule"]) for f in found["findings"]] == [
        ("told", "fail", "leak copy")
    ]
    assert "strong" in found["kept"] and "told" not in found["kept"] and done.return_value == 1
    assert "<svg" in (tmp_path / "page.html").read_text()
