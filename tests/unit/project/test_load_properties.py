"""Whatever a file holds, loading ends in a project or in an error for people; and a dump reads back equal."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wrong_files import RIGHT

from evergreen.errors import InputError
from evergreen.project import Project, dump_project, parse_project
from evergreen.project.document import flow, read_document

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
column = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
word = st.sampled_from(
    ["on", "off", "yes", "No", "null", "~", "1e3", "0x1f", "2017-01-01", "12:30", "<<", "=", "-", "? a"]
)
scalar = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False) | text | word
plain = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
)
duration = st.integers(1, 10**9).map(lambda seconds: timedelta(seconds=seconds)) | st.integers(1, 10**6).map(
    lambda us: timedelta(microseconds=us)
)


@st.composite
def projects(draw: Any) -> Project:
    """Right projects with odd names and values in every place that takes them."""
    columns = draw(st.lists(column.filter(lambda c: c != "*"), min_size=4, max_size=6, unique=True))
    label, time, entity, *others = columns
    ranges = st.builds(lambda a, b: {"low": a, "high": a + b}, st.floats(-1e6, 1e6), st.floats(0.5, 1e6))
    lists = st.lists(st.booleans() | st.integers() | text, min_size=1, max_size=3)
    choices = st.builds(lambda c: {"choices": c}, lists)
    origin = {
        "path": draw(st.just("x.csv") | st.just(["x.csv", "on"])),
        "time": time,
        "types": dict.fromkeys(others, "number"),
        "options": draw(st.dictionaries(st.just("quote"), scalar)),
    }
    query = draw(st.just("SELECT 1") | st.just("SELECT 'a: b' -- c\n  FROM a\n"))
    answer = {
        "source": "a",
        "column": label,
        "maturity": draw(duration),
        "positive": draw(st.booleans() | st.integers() | word | st.floats(-9, 9)),
        "observed_until": draw(st.none() | st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1))),
    }
    windows = draw(st.lists(duration, min_size=1, max_size=3))
    far = {"column": others[0], "functions": ["sum"], "windows": windows}
    return Project.model_validate(
        {
            "name": draw(st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True)),
            "scoping": {"problem": draw(text | word), "users": draw(text)},
            "sources": {"a": origin, "b": {"sql": query, "time": time, "delay": draw(duration)}},
            "entity": [entity],
            "time": time,
            "label": answer,
            "features": [
                {"name": "own", "source": "a", "columns": draw(st.just("*") | st.just(others))},
                {"name": "far", "source": "b", "aggregates": [far]},
            ],
            "repair": {"a": {c: {"missing": draw(st.lists(text | word, max_size=2))} for c in others}},
            "model": {
                "params": draw(st.dictionaries(text, plain, max_size=3)),
                "tune": {"space": draw(st.dictionaries(text, ranges | choices, min_size=1, max_size=3))},
            },
            "slices": [{"column": c} for c in others],
        }
    )


@pytest.mark.slow
@given(projects())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_dump_reads_back_equal(project: Project) -> None:
    written = dump_project(project)
    assert parse_project(written) == project
    assert dump_project(parse_project(written)) == written


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from([*RIGHT.splitlines(), "  - {", "&a", "*a", "\t", "? x", "!!x y", "---"])).map(
        "\n".join
    )
)
@settings(max_examples=150, deadline=None)
def test_any_text_ends_in_a_project_or_an_input_error(content: str) -> None:
    try:
        parse_project(content)
    except InputError as error:
        assert "pydantic" not in str(error)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from([*Project.model_fields, "nmae"]), plain, max_size=8))
@settings(max_examples=150, deadline=None)
def test_any_values_in_any_section_end_in_an_input_error(data: dict[str, Any]) -> None:
    content = yaml.safe_dump(data, allow_unicode=True)
    try:
        parse_project(content)
    except InputError as error:
        assert "pydantic" not in str(error)


@pytest.mark.slow
@given(st.data())
@settings(max_examples=150, deadline=None)
def test_one_wrong_value_anywhere_in_a_right_file_ends_in_an_input_error(data: st.DataObject) -> None:
    document = yaml.safe_load(RIGHT)
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(plain)
    try:
        parse_project(yaml.safe_dump(document, allow_unicode=True))
    except InputError as error:
        assert all(problem.line >= 1 for problem in getattr(error, "problems", ()))


@given(plain)
@settings(max_examples=150, deadline=None)
def test_a_value_on_one_line_reads_back_equal(value: Any) -> None:
    line = flow(value)
    assert "\n" not in line
    assert read_document(f"a: {line}\n", "one line").data == {"a": value}
