"""`evergreen init` over a messy CSV: the project that it writes runs as it is."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from evergreen.history.task import build_with_report
from evergreen.ingest.ingest import ingest
from evergreen.project.check import check_project
from evergreen.project.init import write_project
from evergreen.project.load import load_project
from evergreen.repair.task import Folders, repair_with_report

DAYS = pd.date_range("2024-01-01", periods=120)


@pytest.mark.slow
def test_a_project_over_a_messy_file_runs(tmp_path):
    n = np.arange(120)
    frame = pd.DataFrame(
        {
            "who": [f"u{i % 40}" for i in n],
            "price": [f"₩{i * 91 % 5000:,}" if i % 3 else str(i * 91 % 5000) for i in n],
            "length": [f"{i % 30}.5 {'cm' if i % 2 else 'mm'}" for i in n],
            "member": [["yes", "no", "Y", "0", "no"][i % 5] for i in n],
            "colour": [["red", "Red", "BLUE", "blue"][i % 4] for i in n],
            "code": [f"{i % 7:03d}" for i in n],
            "at": [day.strftime("%d.%m.%Y" if i % 2 else "%Y-%m-%d") for i, day in enumerate(DAYS)],
            "y": [["good", "Good"][i % 2] for i in n],
        }
    )  # fmt: skip
    frame.to_csv(tmp_path / "shop.csv", index=False)
    path = write_project(tmp_path / "project", [tmp_path / "shop.csv"], "y", "at", "who")
    text = path.read_text()
    project = load_project(path)
    assert set(project.repair["shop"]) == {"price", "length", "member", "colour", "at"}
    assert "# `price`: numbers that are written in several ways; 80 of 120 values change" in text
    assert project.sources["shop"].types == {"who": "category", "code": "category", "y": "category"}
    assert check_project(path) == []
    ingested = ingest(project, tmp_path / "tables")
    assert ingested.landed == ("shop",)
    names = ("overlay", "audit", "quarantine", "decisions.json", "report.html")
    done = repair_with_report(project, tmp_path / "tables", Folders(*(tmp_path / name for name in names)))
    assert done.quarantined == 0
    build_with_report(
        project, tmp_path / "tables", tmp_path / "set", tmp_path / "b.html", store=str(tmp_path / "store"),
        repaired=tmp_path / "overlay",
    )  # fmt: skip
    built = pq.read_table(tmp_path / "set" / "data").to_pandas()
    assert built["price"].dtype.kind in "if"
    assert built["length"].max() < 31 and built["member"].dtype.kind == "b"
    assert set(built["y"]) == {"good", "Good"}
