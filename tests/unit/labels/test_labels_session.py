import json
import os
import pty
import select
import sys
from datetime import UTC, datetime

import pandas as pd
import pytest
from splits_world import project
from typer.testing import CliRunner

from evergreen.cli.__main__ import run
from evergreen.cli.app import app
from evergreen.errors import DataError, InputError
from evergreen.labels.batch import take_decisions
from evergreen.labels.ledger import open_ledger
from evergreen.labels.session import Session, find_review, read_review
from evergreen.project import dump_project

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "run" / "artifacts" / "x" / "validate-labels" / "review"
    folder.mkdir(parents=True)
    rows = [
        {
            "rank": k, "part": "train", "given": "dog", "suggested": "cat", "score": 0.1 * k,
            "reason": "models say",
            "key": json.dumps({"id": str(100 + k)}), "features": json.dumps({"weight": "3.5", "note": None}),
            "id": 100 + k,
        }
        for k in (1, 2, 3)
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(folder / "review.parquet")
    about = {"key": ["id"], "label": "y", "classes": ["cat", "dog", "Bird"], "digest": "abc"}
    (folder / "meta.json").write_text(json.dumps(about))
    return folder


def session(place, tmp_path):
    return Session(read_review(place), open_ledger(str(tmp_path / "d.jsonl")), "ann", clock=lambda: WHEN)


def test_decisions_one_by_one_undo_and_go_on_later(place, tmp_path):
    first = session(place, tmp_path)
    one, two, three = first.left()
    assert first.answer(one, "a # looked at the picture") and first.answer(two, "c bird")
    assert first.answer(three, "s") and first.left() == []
    assert first.answer(three, "u") and [r.rank for r in first.left()] == [2]
    assert not first.answer(three, "q")
    later = session(place, tmp_path)
    assert [r.rank for r in later.left()] == [2, 3]
    assert later.answer(two, "e") and later.answer(three, "keep # sure")
    assert later.status() | {"review": "", "decisions": ""} == {
        "review": "", "decisions": "", "rows": 3, "decided": 3, "left": 0,
        "keep": 1, "change": 1, "exclude": 1,
    }  # fmt: skip
    made = later.ledger.read()[0]
    assert (made.key, made.action, made.given, made.to) == ({"id": "101"}, "change", "dog", "cat")
    assert (made.who, made.when, made.why) == ("ann", "2026-01-02T03:04:05+00:00", "looked at the picture")
    assert (made.rank, made.digest) == (1, "abc")


@pytest.mark.parametrize(
    "typed,words",
    [("x", "no answer"), ("c", "no label to change to"), ("c brd", "Did you mean"),
     ("c dog", "is the label that"),
     ("u", "nothing was decided")],
)  # fmt: skip
def test_what_means_nothing_is_said_and_nothing_is_kept(place, tmp_path, typed, words):
    asked = session(place, tmp_path)
    with pytest.raises(InputError) as error:
        asked.answer(asked.left()[0], typed)
    assert words in str(error.value) and asked.ledger.read() == []


def test_a_run_a_folder_and_a_file_are_found(place, tmp_path):
    for given in (tmp_path / "run", place, place.parent, place / "review.parquet"):
        assert find_review(given) == place / "review.parquet"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no review\.parquet"):
        find_review(tmp_path / "empty")


@pytest.mark.parametrize(
    "name,text",
    [
        ("d.csv", "rank,action,to,why\n1,change,cat,\n2,,bird,seen\n"),
        ("d.csv", "id,action,to\n101,change,CAT\n102,change,Bird\n"),
        ("made.jsonl", '{"rank": 1, "to": "cat"}\n\n{"key": {"id": "102"}, "to": "Bird"}\n'),
    ],
)
def test_decisions_from_a_file_are_taken_once(place, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    taking = session(place, tmp_path)
    assert take_decisions(taking, tmp_path / name) == 2
    assert [d.to for d in taking.ledger.read()] == ["cat", "Bird"]
    assert take_decisions(taking, tmp_path / name) == 0


@pytest.mark.parametrize(
    "text,words",
    [
        ("rank,action\n9,keep\n", "line 2: rank '9'"),
        ("rank,action\n1,kep\n", "Did you mean `keep`"),
        ("rank,action,to\n1,keep,\n2,change,cow\n", "no label 'cow'"),
        ("action\nkeep\n", "no row is named"),
        ("id,action\n7,keep\n", "row id=7"),
    ],
)
def test_one_wrong_line_and_none_is_taken(place, tmp_path, text, words):
    (tmp_path / "d.csv").write_text(text)
    taking = session(place, tmp_path)
    with pytest.raises((InputError, DataError)) as error:
        take_decisions(taking, tmp_path / "d.csv")
    assert words in str(error.value) and taking.ledger.read() == []


def test_the_command_asks_keeps_and_tells(place, tmp_path):
    out = str(tmp_path / "d.jsonl")
    result = CliRunner().invoke(
        app, ["labels", "review", str(tmp_path / "run"), "--out", out, "--who", "bob"], input="a\nwhat\nq\n"
    )
    assert result.exit_code == 0, result.output
    assert "given 'dog'  suggested 'cat'" in result.output and "no answer" in result.output
    assert "1 of 3 decided (0 kept, 1 changed, 0 excluded), 2 left" in result.output
    told = CliRunner().invoke(app, ["labels", "review", str(place), "--out", out, "--json"])
    assert json.loads(told.stdout)["left"] == 2
    printed = CliRunner().invoke(app, ["labels", "export", "--from", out])
    assert printed.stdout.splitlines()[1].startswith("101,change,dog,cat,bob,")


def test_export_refuses_a_place_where_nothing_is(tmp_path, capsys):
    (tmp_path / "d.jsonl").touch()
    assert run(["labels", "export", "--from", str(tmp_path / "dd.jsonl")]) == 2
    assert "Did you mean `d.jsonl`" in capsys.readouterr().err
    file = tmp_path / "project.yaml"
    file.write_text(dump_project(project(label={"source": "s", "column": "y", "decisions": "mistyped"})))
    assert run(["labels", "export", "--project", str(file)]) == 2
    assert "label.decisions: nothing is at" in capsys.readouterr().err


def test_a_project_says_where_decisions_are(place, tmp_path, capsys):
    file = tmp_path / "project.yaml"
    file.write_text(dump_project(project()))
    (tmp_path / "d.csv").write_text("rank,action\n1,keep\n")
    given = ["labels", "review", str(place), "--decisions", str(tmp_path / "d.csv")]
    assert run([*given, "--project", str(file), "--store", str(tmp_path / "store")]) == 0
    assert (tmp_path / "store/labels/try/decisions.jsonl").is_file()
    assert run(given) == 2
    assert "nothing says where decisions are kept" in capsys.readouterr().err


@pytest.mark.slow
def test_on_a_terminal(place, tmp_path):
    out = tmp_path / "d.jsonl"
    child, terminal = pty.fork()
    if child == 0:
        os.execv(
            sys.executable,
            [sys.executable, "-m", "evergreen.cli", "labels", "review", str(place), "--out", str(out)],
        )
    said = b""
    for answer in (b"e # torn\n", b"u\n", b"k\n", b"q\n"):
        said += _until(terminal, b"decide> ")
        os.write(terminal, answer)
    said += _until(terminal, b"left")
    os.waitpid(child, 0)
    assert b"1 of 3 decided" in said
    assert [json.loads(line)["action"] for line in out.read_text().splitlines()] == [
        "exclude",
        "undo",
        "keep",
    ]


def _until(terminal, words):
    said = b""
    while words not in said:
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, said
        said += os.read(terminal, 4096)
    return said
