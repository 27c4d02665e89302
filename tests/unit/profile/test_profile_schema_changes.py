import pytest

from evergreen.errors import InputError
from evergreen.profile import infer_schema, profile_table, validate
from evergreen.profile.schema.changes import diff, relax, tighten
from evergreen.profile.schema.comments import with_comments
from evergreen.profile.schema.model import HEADER, ColumnSchema, Schema
from evergreen.profile.schema.page import schema_page
from evergreen.project.model import DataGate

WORLD = "SELECT i AS id, i % 90 AS age, 'c' || (i % 3) AS colour, i * 0.5 AS money FROM range(900) r(i)"
OTHER = (
    "SELECT i AS id, CASE WHEN i % 5 > 0 THEN -5000 - i END AS age, 'c' || (i % 4) AS colour, "
    "i * 0.5 AS money, 1 AS fresh FROM range(900) r(i)"
)


def profile(table, sql, name):
    return profile_table(table(sql, name), {"id": "key"})


def test_relaxed_the_table_passes(table):
    schema = infer_schema(profile(table, WORLD, "world"))
    path = table(OTHER, "other")
    gate = DataGate()
    own = profile_table(path, {"id": "key"})
    broken = {f.rule for f in validate(path, schema, gate, profile=own).findings}
    assert {"range", "domain", "missing", "new column"} <= broken
    relaxed, changes = relax(schema, own)
    assert {f.rule for f in validate(path, relaxed, gate, profile=own).findings} <= {"constant"}
    assert relaxed.version == 2 and relaxed.history[-1].command == "relax"
    assert {(c.column, c.field) for c in changes} == {
        ("age", "min"), ("age", "max_missing"), ("colour", "domain"), ("fresh", "column"),
    }  # fmt: skip
    assert all(c.why for c in changes) and len(relaxed.history[-1].changes) == 4
    assert relax(relaxed, own) == (relaxed, [])
    only, changed = relax(schema, own, ["colour"])
    assert {c.column for c in changed} == {"colour"} and "c3" in only.by_name["colour"].domain


def test_tightened_is_what_the_table_would_give(table):
    loose = Schema((ColumnSchema("id", "integer"), ColumnSchema("age", "number", required=False),
                    ColumnSchema("colour", "text"), ColumnSchema("money", "any")))  # fmt: skip
    own = profile(table, WORLD, "world")
    tight, changes = tighten(loose, own)
    inferred = infer_schema(own)
    assert tight.columns == inferred.columns and tight.key == ("id",) and changes
    assert diff(tight, inferred)[0].field == "rows" and len(diff(tight, inferred)) == 1
    with pytest.raises(InputError, match="Did you mean 'colour'"):
        tighten(loose, own, ["color"])


def test_types_widen(table):
    own = profile(table, "SELECT i AS id, 'x' AS n, i + 0.5 AS w FROM range(100) r(i)", "types")
    schema = Schema((ColumnSchema("id", "integer"), ColumnSchema("n", "number", minimum=0),
                     ColumnSchema("w", "integer"), ColumnSchema("gone", "text")), key=("id",))  # fmt: skip
    relaxed, _ = relax(schema, own)
    kinds = {c.name: (c.type, c.minimum, c.required) for c in relaxed.columns}
    assert kinds["n"] == ("any", None, True) and kinds["w"][0] == "number" and kinds["gone"][2] is False
    assert Schema.from_yaml(relaxed.to_yaml()) == relaxed


def test_comments_stay(table):
    schema = infer_schema(profile(table, WORLD, "world"))
    text = schema.to_yaml().replace("  age:\n", "  # years, at the order\n  age:  # see the form\n")
    text = text.replace("    - c1\n", "    # ask sales\n    - c1  # the old one\n").replace(
        "version: 1", "# ours\nversion: 1  # v"
    )
    text += "# the end\n"
    assert Schema.from_yaml(text) == schema
    relaxed, _ = relax(schema, profile(table, OTHER, "other"))
    made = with_comments(relaxed.to_yaml(), text, HEADER)
    assert Schema.from_yaml(made) == relaxed
    for words in ("  # years, at the order\n  age:  # see the form",
                  "    # ask sales\n    - c1  # the old one",
                  "# ours\nversion: 2  # v", "# the end\n"):  # fmt: skip
        assert words in made
    assert made.count("# The schema that") == 1


def test_the_page_shows_what_would_change(table):
    first, second = (infer_schema(profile(table, sql, n)) for sql, n in ((WORLD, "a"), (OTHER, "b")))
    page = schema_page(first, diff(first, second))
    assert "c0, c1, c2" in page and "From the baseline" in page
    assert "no baseline yet" in schema_page(first, None)


def test_a_history_that_is_none(table):
    with pytest.raises(InputError, match="history"):
        Schema.from_yaml("columns: {}\nhistory: 3\n")
