"""Which task a label asks for."""

import pytest
from splits_world import project

from evergreen.errors import DataError, InputError
from evergreen.modeling.task import Target, resolve_target

RIGHT = [
    ("auto", "VARCHAR", ["b", "a"], None, Target("binary", ("a", "b"), "b")),
    ("auto", "VARCHAR", ["b", "a"], "a", Target("binary", ("b", "a"), "a")),
    ("auto", "BOOLEAN", [True, False], None, Target("binary", (False, True), True)),
    ("auto", "BOOLEAN", [True, False], 0, Target("binary", (True, False), False)),
    ("auto", "BIGINT", [0, 1], None, Target("binary", (0, 1), 1)),
    ("auto", "VARCHAR", ["0", "1"], 1, Target("binary", ("0", "1"), "1")),
    ("auto", "DOUBLE", [0.0, 1.0], None, Target("binary", (0.0, 1.0), 1.0)),
    ("auto", "DOUBLE", [0.5, 1.0], None, Target("regression")),
    ("auto", "INTEGER", list(range(20)), None, Target("multiclass", tuple(range(20)))),
    ("auto", "INTEGER", list(range(21)), None, Target("regression")),
    ("auto", "DECIMAL(9,2)", None, None, Target("regression")),
    ("regression", "INTEGER", [0, 1, 2], None, Target("regression")),
    ("multiclass", "INTEGER", list(range(50)), None, Target("multiclass", tuple(range(50)))),
    ("multiclass", "VARCHAR", ["a", "b"], None, Target("multiclass", ("a", "b"))),
    ("ranking", "INTEGER", [0, 1], None, Target("ranking", (0, 1), 1)),
    ("ranking", "INTEGER", [0, 1, 2], None, Target("ranking")),
]


@pytest.mark.parametrize("task,kind,values,positive,expected", RIGHT, ids=str)
def test_the_task(task, kind, values, positive, expected):
    label = {"source": "s", "column": "y", "positive": positive}
    counts = None if values is None else dict.fromkeys(values, 5)
    target = resolve_target(project(task=task, label=label), kind, counts)
    assert target == expected
    assert [type(c) for c in target.classes or ()] == [type(c) for c in expected.classes or ()]


WRONG = [
    ("auto", "VARCHAR", ["a"], None, DataError, "only one value"),
    ("auto", "DOUBLE", [2.5], None, DataError, "only one value"),
    ("auto", "VARCHAR", [], None, DataError, "no value at all"),
    ("auto", "VARCHAR", None, None, DataError, "more than 1000 different values"),
    ("regression", "VARCHAR", ["a", "b"], None, DataError, "text or booleans"),
    ("binary", "VARCHAR", ["a", "b", "c"], None, DataError, "3 classes"),
    ("auto", "TIMESTAMP", ["a", "b"], None, DataError, "TIMESTAMP"),
    ("auto", "VARCHAR", ["yes", "no"], "yse", InputError, "Did you mean 'yes'"),
    ("auto", "VARCHAR", ["a", "b", "c"], "a", InputError, "3 classes"),
]


@pytest.mark.parametrize("task,kind,values,positive,error,match", WRONG, ids=str)
def test_labels_that_do_not_serve(task, kind, values, positive, error, match):
    label = {"source": "s", "column": "y", "positive": positive}
    counts = None if values is None else dict.fromkeys(values, 5)
    with pytest.raises(error, match=match):
        resolve_target(project(task=task, label=label), kind, counts)
