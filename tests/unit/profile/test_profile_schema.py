import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.errors import DataError, ProjectError
from evergreen.profile import Schema, infer_schema, profile_table
from evergreen.profile.schema.model import ENVIRONMENTS, ColumnSchema, Revision

names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
plain = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=10)
shares = st.one_of(st.just(1.0), st.floats(0, 1))
revisions = st.builds(
    Revision, st.integers(1, 99), plain, st.lists(plain, max_size=2).map(tuple), plain, plain
)
finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def columns(draw, name):
    kind = draw(st.sampled_from(["integer", "number", "category", "text", "boolean", "timestamp", "nested"]))
    domain, bounds = None, (None, None)
    if kind in ("integer", "number"):
        values = st.integers(-(2**70), 2**70) if kind == "integer" else finite
        bounds = tuple(sorted(draw(st.lists(values, min_size=2, max_size=2))))
        domain = draw(st.one_of(st.none(), st.lists(values, min_size=1, max_size=3).map(tuple)))
    elif kind in ("category", "text"):
        domain = draw(st.one_of(st.none(), st.lists(plain, min_size=1, max_size=4).map(tuple)))
    elif kind == "timestamp":
        bounds = ("1960-01-31", "2026-01-31T12:00:00+02:00")
    return ColumnSchema(
        name, kind, draw(st.booleans()), draw(shares), draw(shares), domain, *bounds,
        draw(st.one_of(st.none(), st.floats(0, 1))), draw(st.booleans()),
        draw(st.sampled_from([(), ("training",), ENVIRONMENTS])),
    )  # fmt: skip


@st.composite
def schemas(draw):
    unique = draw(st.lists(names, unique=True, max_size=5))
    return Schema(
        tuple(draw(columns(name)) for name in unique),
        tuple(unique[:2]),
        draw(shares),
        draw(st.integers(1, 99)),
        draw(st.integers(0, 10**9)),
        tuple(draw(st.lists(revisions, max_size=2))),
    )


@pytest.mark.slow
@given(schemas())
def test_yaml_reads_back_equal(schema):
    text = schema.to_yaml()
    assert Schema.from_yaml(text) == schema
    assert Schema.from_yaml(text).to_yaml() == text


WRONG = """\
version: 0
tolerence: 0.1
key: [idd]
columns:
  id: {type: intger, max_missing: 5}
  colour:
    type: category
    domain: [red, 3]
    environments: training
    max: 7
  age: {type: number, min: 9, max: 1, unique: maybe}
  born: {type: date, min: 1990-13-01, domain: [a]}
  broken: 7
"""


def test_every_fault_with_its_line():
    with pytest.raises(ProjectError) as caught:
        Schema.from_yaml(WRONG, "bundle/schema.yaml")
    assert str(caught.value).startswith("bundle/schema.yaml")
    found = {(p.line, p.field) for p in caught.value.problems}
    assert found == {
        (1, "version"), (2, "tolerence"), (3, "key[0]"),
        (5, "columns.id.type"), (5, "columns.id.max_missing"),
        (8, "columns.colour.domain[1]"), (10, "columns.colour.max"), (11, "columns.age.min"),
        (11, "columns.age.unique"), (12, "columns.born.min"), (12, "columns.born.domain"),
        (13, "columns.broken"),
    }  # fmt: skip
    suggestions = {p.field: p.suggestion for p in caught.value.problems}
    assert suggestions["tolerence"] == "Did you mean `tolerance`?"
    assert suggestions["columns.id.type"] == "Did you mean `integer`?"
    assert suggestions["key[0]"] == "Did you mean `id`?"


@pytest.mark.parametrize("text", ["", "  \n", "a: [", "- 1", "columns: []", "version: 1", "columns: {a: {}}"])
def test_what_is_no_schema_is_refused(text):
    with pytest.raises(ProjectError, match=r"columns|YAML|mapping|schema|aligned"):
        Schema.from_yaml(text)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"no such file"):
        Schema.read(tmp_path)
    (tmp_path / "schema.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="UTF-8"):
        Schema.read(tmp_path)


def test_inference(table):
    rng = np.random.default_rng(1)
    n = 2000
    frame = pd.DataFrame(
        {
            "id": np.arange(n),
            "colour": rng.choice(["red", "blue"], n),
            "name": [f"n{i % 700}" for i in range(n)],
            "age": rng.integers(18, 90, n),
            "money": rng.normal(0, 100, n),
            "flag": rng.random(n) < 0.5,
            "y": rng.choice(["yes", "no"], n),
        }
    )
    frame.loc[:199, "money"] = None
    schema = infer_schema(profile_table(table(frame), {"id": "key", "y": "label"}))
    got = schema.by_name
    assert schema.key == ("id",)
    assert [got[c].type for c in frame] == [
        "integer",
        "category",
        "text",
        "integer",
        "number",
        "boolean",
        "category",
    ]
    assert got["colour"].domain == ("blue", "red") and got["name"].domain is None
    assert (
        got["y"].domain == ("no", "yes")
        and got["y"].environments == ("training",)
        and got["y"].tolerance == 0
    )
    assert (got["age"].minimum, got["age"].maximum) == (0, 89 + 3 * 71)
    assert got["money"].minimum < -400 and got["money"].maximum > 400
    assert 0.2 <= got["money"].max_missing < 0.25 and 0.02 <= got["age"].max_missing < 0.03
    assert got["id"].max_missing == 0 and got["id"].minimum is None


def test_inference_of_nothing(table):
    empty = infer_schema(profile_table(table("SELECT 1 AS a, 'x' AS b WHERE false")))
    assert empty.by_name["a"] == ColumnSchema("a", "integer") and empty.by_name["b"] == ColumnSchema(
        "b", "text"
    )
    assert Schema.from_yaml(empty.to_yaml()) == empty
