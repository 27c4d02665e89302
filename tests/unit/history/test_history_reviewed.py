"""What people decided about labels reaches the training set, its counts, its digest and its snapshot."""

import json

import pandas as pd
import pytest
from history_tables import project_of, write_tables

from evergreen.errors import DataError, InputError
from evergreen.history.build import build_training_set
from evergreen.history.task import build_with_report
from evergreen.labels.ledger import LabelDecision, project_ledger

ROWS = pd.DataFrame({"id": [4, 1, 3, 2], "x": [0.1, 0.2, 0.3, 0.4], "y": ["a", "b", "a", "b"]})


def settings(key=True):
    return project_of(
        sources={"s": {"path": "s", **({"key": "id"} if key else {})}},
        label={"source": "s", "column": "y"},
        features=[{"name": "f", "source": "s", "columns": ["x"]}],
    )


def said(key, action, given="a", to=None):
    return LabelDecision({"id": str(key)}, action, given, to)


def test_corrected_and_excluded_rows(tmp_path):
    tables = write_tables(tmp_path / "tables", {"s": ROWS})
    made = [said(4, "change", "a", "b"), said(2, "exclude", "b"), said(9, "exclude"), said(3, "keep")]
    plain = build_training_set(settings(), tables, tmp_path / "plain")
    built = build_training_set(settings(), tables, tmp_path / "built", decisions=made)
    table = pd.read_parquet(tmp_path / "built" / "data")
    assert list(zip(table["id"], table["y"], strict=True)) == [(1, "b"), (3, "a"), (4, "b")]
    assert built.rows == 3 and built.excluded == {"excluded by review": 1}
    assert built.label_counts == {"a": 1, "b": 2} and built.digest != plain.digest
    told = built.meta["reviewed"]
    assert (told["changed"], told["excluded"], told["stale"], told["unmatched"]) == (1, 1, 0, 1)
    assert "1 decisions are about rows that are not in this training set" in built.alerts
    assert "reviewed" not in plain.meta


def test_one_class_left_is_refused(tmp_path):
    tables = write_tables(tmp_path / "tables", {"s": ROWS})
    with pytest.raises(DataError, match="one class"):
        made = [said(4, "change", "a", "b"), said(3, "change", "a", "b")]
        build_training_set(settings(), tables, tmp_path / "built", decisions=made)
    assert not (tmp_path / "built").exists()


def test_decisions_in_the_store_are_applied_without_asking(tmp_path):
    tables = write_tables(tmp_path / "tables", {"s": ROWS})
    store = str(tmp_path / "store")
    first = build_with_report(settings(), tables, tmp_path / "one", tmp_path / "one.html", store=store)
    project_ledger(settings(), store).append([said(4, "change", "a", "b")])
    second = build_with_report(settings(), tables, tmp_path / "two", tmp_path / "two.html", store=store)
    assert (first.version, second.version) == (0, 1) and first.digest != second.digest
    assert json.loads((tmp_path / "two" / "meta.json").read_text())["reviewed"]["changed"] == 1
    scored = build_with_report(
        settings(), tables, tmp_path / "three", tmp_path / "three.html", store=store, purpose="predict"
    )
    assert scored.rows == 4


def test_decisions_that_the_project_names_must_be_there(tmp_path):
    tables = write_tables(tmp_path / "tables", {"s": ROWS})
    named, place = settings(), str(tmp_path / "mistyped.jsonl")
    named = named.model_copy(update={"label": named.label.model_copy(update={"decisions": place})})
    page = tmp_path / "page.html"
    with pytest.raises(InputError, match=r"label\.decisions: nothing is at .*mistyped\.jsonl"):
        build_with_report(named, tables, tmp_path / "made", page, store=str(tmp_path / "store"))
    assert not (tmp_path / "made").exists() and "mistyped.jsonl" in page.read_text()
    scored = build_with_report(
        named, tables, tmp_path / "rows", page, store=str(tmp_path / "store"), purpose="predict"
    )
    assert scored.rows == 4
