"""Loading: what is right is read, what is wrong is told all at once, in plain words, with its line."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from wrong_files import RIGHT, WRONG, golden, told

from evergreen.errors import InputError, ProjectError
from evergreen.project import dump_project, load_project, parse_project


@pytest.mark.parametrize("case", WRONG)
def test_every_fault_is_told_in_these_words(case: str) -> None:
    assert told(WRONG[case]) == golden()[case]


def test_the_golden_file_has_every_case_and_no_other() -> None:
    assert set(golden()) == set(WRONG)


def test_no_message_speaks_pydantic_or_shows_a_credential() -> None:
    everything = "\n".join("\n".join(told(text)) for text in WRONG.values())
    assert not re.search(r"pydantic|type=|input_value|validation error|https://|hunter2|AKIA", everything)


def test_every_problem_of_a_file_comes_at_once_in_the_order_of_its_lines() -> None:
    with pytest.raises(ProjectError) as raised:
        parse_project(WRONG["several"], "shop.yaml")
    lines = [problem.line for problem in raised.value.problems]
    assert len(lines) >= 5
    assert lines == sorted(lines)
    assert str(raised.value).startswith(f"shop.yaml: {len(lines)} problems\n  line 8: sources.visits.tiem")
    assert raised.value.exit_code == 2


def test_the_right_file_is_read() -> None:
    project = parse_project(RIGHT)
    assert project.entity == ["customer"]
    assert project.features[0].columns == "*"
    assert project.features[1].aggregates[0].windows == [timedelta(days=7), timedelta(days=30)]


def test_words_that_old_yaml_takes_for_booleans_and_dates_stay_text() -> None:
    text = RIGHT.replace("column: returned", "column: returned\n  positive: no\n  observed_until: 2017-12-31")
    text = text.replace("    source: visits\n", "    source: visits\n    on: customer\n")
    project = parse_project(
        text + "gates: {model: {mode: off}}\nmodel: {params: {alpha: 1e-3, day: 2017-01-02}}\n"
    )
    assert project.label.positive == "no"
    assert project.label.observed_until == datetime(2017, 12, 31)
    assert project.features[1].on == ["customer"]
    assert project.gates.model.mode == "off"
    assert project.model.params == {"alpha": 0.001, "day": "2017-01-02"}


def test_keys_are_text_whatever_they_look_like() -> None:
    project = parse_project(
        RIGHT.replace("    time: at\n", "    time: at\n    types: {2017: number, true: text}\n")
    )
    assert project.sources["visits"].types == {"2017": "number", "true": "text"}


def test_aliases_repeat_a_value() -> None:
    text = RIGHT.replace("[7d, 30d]", "&spans [7d, 30d]").replace(
        "    aggregates:\n",
        "    aggregates:\n      - {column: page, functions: [distinct], windows: *spans}\n",
    )
    with pytest.raises(ProjectError, match="an alias"):
        parse_project(text)
    text = RIGHT + "model: {params: {a: &a [1, 2], b: *a}}\n"
    assert parse_project(text).model.params == {"a": [1, 2], "b": [1, 2]}


def test_aliases_cannot_blow_up() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 30))
    with pytest.raises(ProjectError, match="too many values"):
        parse_project(bomb)


def test_an_alias_to_itself_ends() -> None:
    with pytest.raises(ProjectError, match="nested too deeply"):
        parse_project("a: &a [*a]\n")


@pytest.mark.slow
def test_deep_nesting_ends() -> None:
    for text in ("[" * 3_000, "a: " + "{a: " * 500 + "1" + "}" * 500, "- " * 2_000 + "x"):
        with pytest.raises(ProjectError, match="nested too deeply"):
            parse_project(text)


def test_a_huge_file_is_refused() -> None:
    with pytest.raises(ProjectError, match=r"1,000,0\d\d characters"):
        parse_project("#" * 1_000_010)


def test_a_number_with_thousands_of_digits_is_refused() -> None:
    with pytest.raises(ProjectError, match="too many digits"):
        parse_project(RIGHT + f"split: {{seed: {'9' * 5000}}}\n")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file; expected a project file\. Check the path") as raised:
        load_project(tmp_path / "none.yaml")
    assert raised.value.exit_code == 2
    with pytest.raises(InputError, match="a folder; expected a project file"):
        load_project(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"name: demo\nproblem: caf\xe9\n")
    with pytest.raises(InputError, match="line 2 is not UTF-8 text"):
        load_project(latin)
    with pytest.raises(InputError):
        load_project("a\0b")


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    file = tmp_path / "project.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + RIGHT.replace("\n", "\r\n").encode())
    assert load_project(file).name == "demo"


def test_relative_paths_start_at_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    text = RIGHT.replace("data/orders.csv", "../orders/*.csv").replace(
        "data/visits.parquet", "s3://bucket/v/*.parquet"
    )
    (folder / "project.yaml").write_text(text + "storage: {root: store}\n")
    monkeypatch.chdir(tmp_path)
    project = load_project("deep/er/project.yaml")
    assert project.sources["orders"].path == str(tmp_path / "deep" / "orders" / "*.csv")
    assert project.sources["visits"].path == "s3://bucket/v/*.parquet"
    assert project.storage.root == str(folder / "store")
    assert load_project(folder / "project.yaml") == project


def test_a_packages_files_are_found_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "shop_data"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "project.yaml"
    file.write_text(RIGHT.replace("data/orders.csv", "package://shop_data/data/orders.csv"))
    assert load_project(file).sources["orders"].path == str(package / "data" / "orders.csv")


def test_a_missing_package_is_told_with_the_command_that_installs_it(tmp_path: Path) -> None:
    file = tmp_path / "project.yaml"
    file.write_text(RIGHT.replace("data/orders.csv", "package://no_such_data/orders.csv"))
    with pytest.raises(ProjectError) as raised:
        load_project(file)
    (problem,) = raised.value.problems
    assert (problem.line, problem.field) == (4, "sources.orders.path")
    assert problem.suggestion == "Install it: pip install --no-deps no-such-data"
    file.write_text(
        RIGHT.replace("  source: orders\n", "  source: orders\n  decisions: package://no_such_data/d\n", 1)
    )
    with pytest.raises(ProjectError, match=r"label\.decisions: the Python package `no_such_data`"):
        load_project(file)


def test_a_dump_leaves_defaults_out_and_reads_back_equal() -> None:
    project = parse_project(RIGHT)
    assert parse_project(dump_project(project)) == project
    assert "seed" not in dump_project(project)
