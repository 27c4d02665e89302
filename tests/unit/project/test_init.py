"""`init`: whatever the table, the file it writes fits the data and ingests, and says why."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from evergreen.errors import InputError
from evergreen.ingest.ingest import ingest
from evergreen.project import Project, load_project
from evergreen.project.check import check_project
from evergreen.project.init import write_project

ROWS = 300
WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True, date_format="iso"),
    "parquet": lambda frame, path: frame.to_parquet(path, index=False),
}


@pytest.fixture
def base() -> pd.DataFrame:
    """A number, a category, and a label that depends on the number."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=ROWS)
    frame = pd.DataFrame({"x": x.round(4), "group": rng.choice(list("abc"), ROWS)})
    return frame.assign(y=(x + rng.normal(size=ROWS) > 0).astype(int))


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Project]:
    """Write frames, run init, and see that the file fits the data and ingests; gives the project."""

    def make(
        *frames: pd.DataFrame,
        fmt: str = "csv",
        label: str | None = "y",
        time: str | None = None,
        entity: str | None = None,
    ) -> Project:
        paths = []
        for number, frame in enumerate(frames):
            paths.append(tmp_path / f"table {number}.{fmt}")
            WRITERS[fmt](frame, paths[-1])
        file = write_project(tmp_path / "made", paths, label, time, entity, force=True)
        assert [str(p) for p in check_project(file)] == []
        project = load_project(file)
        ingest(project, tmp_path / "tables" / str(len(list(tmp_path.iterdir()))))
        return project

    return make


def text(tmp_path: Path) -> str:
    """The file that init wrote."""
    return (tmp_path / "made" / "project.yaml").read_text()


SETS = {
    "breast_cancer": ("binary", "roc_auc", 0.5),
    "iris": ("multiclass", "balanced_accuracy", 0.333),
    "wine": ("multiclass", "balanced_accuracy", 0.333),
    "diabetes": ("regression", "r2", 0.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_scikit_learns_own_tables(made: Callable[..., Project], name: str) -> None:
    task, metric, least = SETS[name]
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    project = made(frame, label="target")
    assert project.task == task
    assert project.split.method == ("auto" if task == "regression" else "stratified")
    (gate,) = project.gates.model.thresholds
    assert (gate.metric, gate.min) == (metric, least)
    assert project.features[0].columns == "*"
    assert list(project.sources["table_0"].types) == ["target"]


@pytest.mark.parametrize("fmt", WRITERS)
def test_odd_column_names(made: Callable[..., Project], base: pd.DataFrame, fmt: str) -> None:
    odd = base.rename(columns={"x": 'a "quoted": x', "group": "select", "y": "on"})
    rng = np.random.default_rng(1)
    extra = {
        "Größe, ñ €": rng.integers(0, 5, ROWS),
        "#c": rng.normal(size=ROWS),
        "2017": 1.5 * rng.normal(size=ROWS),
        "null": rng.choice(["u", "v"], ROWS),
        "it's": rng.normal(size=ROWS),
        "- a": rng.normal(size=ROWS),
    }
    project = made(odd.assign(**extra), fmt=fmt, label="on")
    assert project.label.column == "on"
    assert project.label.positive == 1
    assert {s.column for s in project.slices} <= {"select", "null", "Größe, ñ €"}


@pytest.mark.parametrize("fmt", WRITERS)
def test_time_and_entity(made: Callable[..., Project], base: pd.DataFrame, tmp_path: Path, fmt: str) -> None:
    times = pd.date_range("2024-01-01", periods=ROWS, freq="6h")
    project = made(base.assign(at=times, who=np.arange(ROWS) % 40), fmt=fmt, time="at", entity="who")
    assert (project.entity, project.time, project.label.key) == (["who"], "at", ["who", "at"])
    assert (project.split.method, project.split.refuse) == ("time", ["future"])
    assert "Seen: 2024-01-01 to 2024-03-15." in text(tmp_path)


def test_line_ends_in_names(made: Callable[..., Project], base: pd.DataFrame) -> None:
    frame = base.rename(columns={"group": "two\nlines: #", "y": "tab\tand \x85"})
    project = made(frame.assign(**{"same\nvalue": 1}), fmt="parquet", label="tab\tand \x85")
    assert project.label.column == "tab\tand \x85"
    assert project.features[0].exclude == ["same\nvalue"]


def test_entity_alone_splits_by_it(made: Callable[..., Project], base: pd.DataFrame) -> None:
    project = made(base.assign(who=np.arange(ROWS) % 40), entity="who")
    assert (project.split.method, project.split.refuse) == ("entity", ["entity"])


def test_several_entity_columns(made: Callable[..., Project], base: pd.DataFrame) -> None:
    frame = base.assign(shop=np.arange(ROWS) % 7, till=np.arange(ROWS) % 5)
    assert made(frame, entity="shop, till").entity == ["shop", "till"]


LABELS = {
    "booleans": (lambda y: y == 1, "binary", True),
    "words": (lambda y: np.where(y == 1, "yes", "no"), "binary", "yes"),
    "whole numbers as floats, some missing": (lambda y: y.where(y.index > 9).astype(float), "binary", 1),
    "few whole numbers": (lambda y: y + np.arange(len(y)) % 3, "multiclass", None),
    "many whole numbers": (lambda y: np.arange(len(y)) // 2, "regression", None),
    "numbers": (lambda y: y + np.linspace(0, 1, len(y)), "regression", None),
    "three words": (
        lambda y: np.array(["lo", "mid", "hi"])[(y + np.arange(len(y)) % 2).to_numpy()],
        "multiclass",
        None,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("fmt", WRITERS)
def test_the_label_tells_the_task(
    made: Callable[..., Project], base: pd.DataFrame, kind: str, fmt: str
) -> None:
    values, task, positive = LABELS[kind]
    project = made(base.assign(y=values(base["y"])), fmt=fmt)
    assert (project.task, project.label.positive) == (task, positive)


def test_columns_that_cannot_be_features_are_left_out_and_it_says_why(
    made: Callable[..., Project], base: pd.DataFrame, tmp_path: Path
) -> None:
    frame = base.assign(
        row=np.arange(ROWS),
        userId=np.random.default_rng(2).permutation(ROWS) * 7,
        code=[f"c{i:05d}" for i in range(ROWS)],
        same="s",
        empty=None,
        answer=np.where(base["y"] == 1, "good", "bad"),
        rare=np.where(np.arange(ROWS) == 3, 1.0, np.nan),
    )
    project = made(frame)
    assert set(project.features[0].exclude) | set(project.label.key or []) == {
        "row",
        "userId",
        "code",
        "same",
        "empty",
        "answer",
        "rare",
    }
    assert "- answer # the label by another name" in text(tmp_path)
    assert "- same # the same value in every row" in text(tmp_path)
    assert "- code # nearly every row has a text of its own" in text(tmp_path)


def test_nested_values_are_left_out(made: Callable[..., Project], base: pd.DataFrame) -> None:
    frame = base.assign(
        tags=[[i, i + 1] for i in range(ROWS)], place=[{"lat": i, "lon": 1} for i in range(ROWS)]
    )
    assert set(made(frame, fmt="parquet").features[0].exclude) == {"tags", "place"}


def test_numbers_with_some_words_are_repaired_and_it_says_so(
    made: Callable[..., Project], base: pd.DataFrame, tmp_path: Path
) -> None:
    dirty = base["x"].astype(str).where(np.arange(ROWS) % 100 != 5, "broken")
    marked = base["x"].astype(str).where(np.arange(ROWS) % 10 != 5, "?")
    project = made(base.assign(dirty=dirty, marked=marked))
    policy = project.repair["table_0"]["dirty"]
    assert (policy.type, policy.invalid) == ("number", "missing")
    assert "3 of 300 values of `dirty` are no number: they count as missing." in text(tmp_path)
    assert set(project.repair["table_0"]) == {"dirty"}


@pytest.mark.slow
def test_repeated_entity_and_time_get_a_key(made: Callable[..., Project], base: pd.DataFrame) -> None:
    times = pd.to_datetime("2024-01-01") + pd.to_timedelta(np.arange(ROWS) // 10, "D")
    frame = base.assign(who=np.arange(ROWS) % 3, at=times)
    numbered = made(frame, time="at", entity="who")
    assert numbered.label.key == ["row_number"]
    assert "row_number() OVER ()" in (numbered.sources[numbered.label.source].sql or "")
    assert made(frame.assign(order_id=np.arange(ROWS) + 5), time="at", entity="who").label.key == ["order_id"]


TIMES = {
    "years": (lambda n: 1990 + n // 20, "make_timestamp"),
    "months": (lambda n: 202001 + n % 12 + 100 * (n // 100), "%Y%m"),
    "days as numbers": (lambda n: np.array([20240101, 20240215, 20240330, 20241224])[n % 4], "%Y%m%d"),
    "seconds since 1970": (lambda n: 1_704_067_200 + 3600 * n, "since 1970"),
    "milliseconds since 1970": (lambda n: 1_704_067_200_000 + 3_600_000 * n, "since 1970"),
    "weeks from an unknown start": (lambda n: 1 + n % 50, "unknown start"),
    "seconds from an unknown start": (lambda n: 0.5 + 100.0 * n, "unknown start"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TIMES)
def test_numbers_that_are_times_become_timestamps(
    made: Callable[..., Project], base: pd.DataFrame, tmp_path: Path, kind: str
) -> None:
    values, said = TIMES[kind]
    project = made(base.assign(at=values(np.arange(ROWS))), time="at")
    assert project.split.method == "time"
    assert said in text(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("written", ["%d/%m/%Y", "%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%SZ", "%d-%b-%Y"])
@pytest.mark.parametrize("fmt", WRITERS)
def test_times_as_text(made: Callable[..., Project], base: pd.DataFrame, written: str, fmt: str) -> None:
    times = pd.date_range("2024-01-01", periods=ROWS, freq="6h").strftime(written)
    assert made(base.assign(at=times), fmt=fmt, time="at").time == "at"


def test_times_in_the_future_are_dropped_and_it_says_so(
    made: Callable[..., Project], base: pd.DataFrame, tmp_path: Path
) -> None:
    times = pd.date_range("2024-01-01", periods=ROWS, freq="6h").to_series().reset_index(drop=True)
    times.iloc[-4:] = pd.Timestamp("2199-01-01")
    project = made(base.assign(at=times), time="at")
    assert project.repair["table_0"]["at"].future == "drop"
    assert "4 rows lie in the future: they are left out." in text(tmp_path)


def test_a_time_that_would_leave_a_part_with_one_class_is_not_split_by(
    made: Callable[..., Project], base: pd.DataFrame, tmp_path: Path
) -> None:
    frame = base.assign(
        y=(np.arange(ROWS) > 250).astype(int), at=pd.date_range("2024-01-01", periods=ROWS, freq="6h")
    )
    assert made(frame, time="at").split.method == "stratified"
    assert "not by time: the oldest or the newest rows" in " ".join(text(tmp_path).replace("#", "").split())


@pytest.mark.slow
@pytest.mark.parametrize("fmt", WRITERS)
def test_further_tables_become_feature_groups(
    made: Callable[..., Project], base: pd.DataFrame, fmt: str
) -> None:
    rng = np.random.default_rng(3)
    main = base.assign(at=pd.date_range("2024-01-01", periods=ROWS, freq="6h"), who=np.arange(ROWS) % 40)
    events = pd.DataFrame(
        {
            "who": rng.integers(0, 40, 2000),
            "amount": rng.normal(size=2000),
            "kind": rng.choice(["p", "q"], 2000),
            "when": pd.Timestamp("2023-10-01") + pd.to_timedelta(rng.uniform(0, 160, 2000), "D"),
        }
    )
    people = pd.DataFrame({"who": np.arange(40), "age": 18 + np.arange(40) % 30})
    project = made(events, main, people, fmt=fmt, time="at", entity="who")
    assert project.label.source == "table_1"
    own, spending, constant = project.features
    assert (own.source, spending.source, constant.source) == ("table_1", "table_0", "table_2")
    assert {f for a in spending.aggregates for f in a.functions} == {
        "count",
        "recency",
        "sum",
        "mean",
        "distinct",
    }
    assert project.sources["table_0"].time == "when"
    assert constant.columns == "*"
    assert project.gates.data.max_missing == 1


def test_entities_that_are_numbers_here_and_text_there_are_compared_as_text(
    made: Callable[..., Project], base: pd.DataFrame
) -> None:
    main = base.assign(who=np.arange(ROWS) % 40)
    people = pd.DataFrame({"who": [*map(str, range(40)), "x9"], "age": 18 + np.arange(41) % 30})
    project = made(main, people, entity="who")
    assert {s.types["who"] for s in project.sources.values()} == {"text"}


WRONG = {
    "no label": ({"label": None}, "--label: not given; expected the column to predict: x, group or y"),
    "unknown label": ({"label": "yy"}, "no column 'yy' for --label; expected one of x, group or y. Did"),
    "unknown time": ({"time": "att"}, "no column 'att' for --time"),
    "unknown entity": (
        {"entity": "grup"},
        "no column 'grup' for --entity; expected one of x, group or y. Did you mean",
    ),
    "time that is no time": (
        {"time": "group"},
        "time column 'group': values of type VARCHAR that are no times",
    ),
    "one column for two things": ({"time": "y"}, "column 'y': it is named more than once"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_options(tmp_path: Path, base: pd.DataFrame, case: str) -> None:
    options, message = WRONG[case]
    base.to_csv(tmp_path / "t.csv", index=False)
    asked = {"label": "y", "time": None, "entity": None} | options
    with pytest.raises(InputError) as raised:
        write_project(tmp_path / "made", [tmp_path / "t.csv"], **asked)
    assert message in str(raised.value)
    assert raised.value.exit_code == 2
    assert not (tmp_path / "made").exists()


TABLES = {
    "one class": (lambda f: f.assign(y=1), "the same value in every row: 1"),
    "no label at all": (lambda f: f.assign(y=None), "every value is missing"),
    "a label of its own in every row": (
        lambda f: f.assign(y=[f"id{i}" for i in range(len(f))]),
        "300 different texts in 300 rows",
    ),
    "a label of mixed types": (lambda f: f.assign(y=[*map(str, range(290)), *["bad"] * 10]), "mixed types"),
    "no rows": (lambda f: f.iloc[:0], "the table has no rows"),
    "nothing but the label": (lambda f: f[["y"]], "no column is left that could be a feature"),
}


@pytest.mark.parametrize("case", TABLES)
def test_wrong_tables(tmp_path: Path, base: pd.DataFrame, case: str) -> None:
    change, message = TABLES[case]
    change(base).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match=message):
        write_project(tmp_path / "made", [tmp_path / "t.csv"], "y", None, None)
    assert not (tmp_path / "made").exists()


def test_wrong_further_tables(tmp_path: Path, base: pd.DataFrame) -> None:
    main, events, strangers = tmp_path / "main.csv", tmp_path / "events.csv", tmp_path / "strangers.csv"
    base.assign(who=np.arange(ROWS) % 40).to_csv(main, index=False)
    pd.DataFrame({"who": [1, 1, 2], "amount": [1.0, 2.0, 3.0]}).to_csv(events, index=False)
    pd.DataFrame({"who": [101, 102], "amount": [1.0, 2.0]}).to_csv(strangers, index=False)
    with pytest.raises(InputError, match="a further table, but no --entity"):
        write_project(tmp_path / "made", [main, events], "y", None, None)
    with pytest.raises(InputError, match="several rows for one who, and no time to aggregate them by"):
        write_project(tmp_path / "made", [main, events], "y", None, "who")
    with pytest.raises(InputError, match="no value of who is in"):
        write_project(tmp_path / "made", [main, strangers], "y", None, "who")
    with pytest.raises(InputError, match="no column 'whoo' for --entity"):
        write_project(tmp_path / "made", [events, main], "y", None, "whoo")


def test_files_that_cannot_be_looked_at(tmp_path: Path, base: pd.DataFrame) -> None:
    base.to_csv(tmp_path / "table.csv", index=False)
    (tmp_path / "bad.parquet").write_bytes(b"no parquet")
    (tmp_path / "empty.csv").write_bytes(b"")
    cases = {
        "tabel.csv": "no such file.*Did you mean `table.csv`",
        "bad.parquet": "not a Parquet file",
        "empty.csv": "empty",
        "s3://bucket/t.csv": "a remote path",
    }
    for name, message in cases.items():
        path = Path(name) if name.startswith("s3") else tmp_path / name
        with pytest.raises(InputError, match=message):
            write_project(tmp_path / "made", [path], "y", None, None)
    assert not (tmp_path / "made").exists()


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path, base: pd.DataFrame) -> None:
    base.to_csv(tmp_path / "t.csv", index=False)
    file = write_project(tmp_path, [tmp_path / "t.csv"], "y", None, None)
    before = file.read_text()
    file.write_text("mine")
    with pytest.raises(InputError, match=r"it is there already. Use --force to replace it."):
        write_project(tmp_path, [tmp_path / "t.csv"], "y", None, None)
    assert file.read_text() == "mine"
    assert write_project(tmp_path, [tmp_path / "t.csv"], "y", None, None, force=True).read_text() == before


def test_without_data_a_template_is_written_that_loads(tmp_path: Path) -> None:
    file = write_project(tmp_path / "My Project", [], None, None, None)
    project = load_project(file)
    assert project.name == "my-project"
    problems = check_project(file)
    assert {p.field for p in problems} == {f"sources.{s}.path" for s in ("offers", "purchases", "households")}
    with pytest.raises(InputError, match="--label: 'y', but no --data"):
        write_project(tmp_path / "other", [], "y", None, None)


def test_names(tmp_path: Path, base: pd.DataFrame) -> None:
    data = tmp_path / "2024-sales data.v2.csv"
    base.to_csv(data, index=False)
    project = load_project(write_project(tmp_path / "1. Verkäufe!", [data], "y", None, None))
    assert project.name == "project-1-verk-ufe"
    assert list(project.sources) == ["t_2024_sales_data"]
    named = write_project(tmp_path / "named", [data], "y", None, None, name="sales_2")
    assert load_project(named).name == "sales_2"
    with pytest.raises(InputError, match="--name: 'Sales!'"):
        write_project(tmp_path / "bad", [data], "y", None, None, name="Sales!")


def test_the_same_table_gives_the_same_file(tmp_path: Path, base: pd.DataFrame) -> None:
    base.to_csv(tmp_path / "t.csv", index=False)
    files = [
        write_project(tmp_path / n, [tmp_path / "t.csv"], "y", None, None, name="same") for n in ("a", "b")
    ]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.slow
def test_a_table_of_many_columns(made: Callable[..., Project], base: pd.DataFrame) -> None:
    numbers = np.random.default_rng(4).normal(size=(ROWS, 300)).round(3)
    wide = pd.DataFrame(numbers, columns=[f"n{i}" for i in range(300)])
    assert made(pd.concat([base, wide], axis=1)).features[0].exclude == []
