import threading

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from splits_world import project

from evergreen.errors import DataError
from evergreen.labels.apply import apply_decisions
from evergreen.labels.ledger import (
    LabelDecision,
    effective,
    open_ledger,
    parse_line,
    project_decisions,
    project_ledger,
)
from evergreen.tables import connect


def decision(key, action="change", given="a", to="b", **more):
    return LabelDecision({"id": str(key)}, action, given, to if action == "change" else None, **more)


def test_decisions_are_appended_whole_and_read_back(tmp_path):
    ledger = open_ledger(str(tmp_path / "deep" / "d.jsonl"))
    assert ledger.read() == []
    made = [
        decision(1, why='said "so", naïvely\n\u2028'),
        decision(2, "keep"),
        decision(3, "exclude", rank=7),
    ]
    ledger.append(made[:1])
    ledger.append(made[1:])
    assert ledger.read() == made
    path = tmp_path / "deep" / "d.jsonl"
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    ledger.append([decision(4)])
    assert len(ledger.read()) == 4


def test_nobody_overwrites_anybody(tmp_path):
    ledger = open_ledger(str(tmp_path / "d.jsonl"))
    threads = [threading.Thread(target=ledger.append, args=([decision(k)],)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {d.key["id"] for d in ledger.read()} == {str(k) for k in range(8)}


def test_the_store_has_a_place_for_each_project_and_the_file_may_name_another(tmp_path):
    assert project_ledger(project(), str(tmp_path)).uri == f"{tmp_path}/labels/try/decisions.jsonl"
    named = project(label={"source": "s", "column": "y", "decisions": str(tmp_path / "x.jsonl")})
    assert project_ledger(named, "elsewhere").uri == str(tmp_path / "x.jsonl")


def test_a_place_that_the_project_names_must_be_there_and_the_stores_own_need_not(tmp_path):
    def named(path):
        return project(label={"source": "s", "column": "y", "decisions": str(path)})

    assert project_decisions(project(), str(tmp_path / "store")) == []
    wrong, right = tmp_path / "decision.jsonl", tmp_path / "decisions.jsonl"
    with pytest.raises(DataError, match=r"label\.decisions: nothing is at .*decision\.jsonl.*an empty file"):
        project_decisions(named(wrong))
    open_ledger(str(right)).append([decision(1)])
    with pytest.raises(DataError, match=r"Did you mean `decisions\.jsonl`"):
        project_decisions(named(wrong))
    with pytest.raises(DataError, match=r"label\.decisions: nothing is at"):
        project_decisions(named(tmp_path / "no folder" / "x.jsonl"))
    with pytest.raises(DataError, match=r"label\.decisions: nothing is at"):
        project_decisions(named(tmp_path))
    assert project_decisions(named(right)) == [decision(1)]
    wrong.touch()
    assert project_decisions(named(wrong)) == []


@pytest.mark.parametrize(
    "line,words",
    [
        ("{", "not JSON"),
        ("[]", "no `key`"),
        ('{"key": {"id": "1"}, "action": "chang", "given": "a"}', "Did you mean `change`"),
        ('{"key": {"id": "1"}, "action": "change", "given": "a"}', "without `to`"),
    ],
)
def test_a_broken_line_is_named(line, words):
    with pytest.raises(DataError, match=r"d\.jsonl, line 3") as error:
        parse_line(line, "d.jsonl, line 3")
    assert words in str(error.value)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["keep", "change", "exclude", "undo"])), max_size=12
    )
)
def test_undo_takes_back_exactly_the_last(steps):
    stacks = {}
    for key, action in steps:
        stack = stacks.setdefault(key, [])
        if action == "undo":
            stack[-1:] = []
        else:
            stack.append(action)
    found = effective([decision(k, a) for k, a in steps])
    assert {int(d.key["id"]): d.action for d in found.values()} == {k: s[-1] for k, s in stacks.items() if s}


def write(path, table):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = table
    assert len(rows)
    duckdb.sql("SELECT * FROM rows").write_parquet(str(path))


@pytest.mark.parametrize("column,values,new", [("y", ["a", "b"] * 3, "b"), ('Ünit "y"', [0, 1] * 3, "1")])
def test_labels_change_rows_go_and_the_order_stays(tmp_path, column, values, new):
    table = pd.DataFrame({"id": [5, 3, 4, 1, 2, 0], column: values, "x": range(6)})
    for part in (0, 1):
        write(tmp_path / "t" / "data" / f"part-0000{part}.parquet", table.iloc[part * 3 : part * 3 + 3])
    old = str(values[0])
    made = [
        decision(5, given=old, to=new),
        decision(3, "exclude", given=new),
        decision(1, given=old, to=new),  # its label is another one by now
        decision(9, given=old, to=new),
        decision(4, "keep", given=old),
    ]
    with connect() as con:
        done = apply_decisions(con, made, tmp_path / "t", ["id"], column)
    assert (done.changed, done.excluded, done.stale, done.unmatched, done.decisions) == (1, 1, 0, 1, 4)
    after = pd.concat([pd.read_parquet(p) for p in sorted((tmp_path / "t" / "data").iterdir())])
    assert list(after["id"]) == [5, 4, 1, 2, 0] and list(after.columns) == list(table.columns)
    assert str(after[column].iloc[0]) == new and after["x"].iloc[1] == 2


def test_a_table_without_a_key_is_named_by_its_rows(tmp_path):
    from evergreen.labels.rows import ROW, row_digest

    table = pd.DataFrame({"x": [1.5, 2.5, None], "y": ["a", "b", "a"]})
    write(tmp_path / "t.parquet", table)
    name = duckdb.sql(f"SELECT {row_digest(['y', 'x'])} FROM '{tmp_path}/t.parquet' LIMIT 1").fetchall()[0][0]
    with connect() as con:
        made = [LabelDecision({ROW: name}, "change", "a", "b")]
        assert apply_decisions(con, made, tmp_path / "t.parquet", [], "y").changed == 1
    assert list(pd.read_parquet(tmp_path / "t.parquet")["y"]) == ["b", "b", "a"]


def test_a_label_that_cannot_be_is_refused(tmp_path):
    write(tmp_path / "t.parquet", pd.DataFrame({"id": [1], "y": [True]}))
    with connect() as con, pytest.raises(DataError, match="'maybe' is no BOOLEAN"):
        apply_decisions(con, [decision(1, given="true", to="maybe")], tmp_path / "t.parquet", ["id"], "y")
