"""Training sets: names, types, exclusions, joins, and what cannot be joined."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from history_tables import build, project_of, write_tables

from evergreen.errors import DataError, StorageError
from evergreen.history import build_training_set
from evergreen.ingest.manifest import read_manifest, write_manifest

NOON = datetime(2024, 3, 1, 12)


def at(*hours: float) -> pd.Series:
    return pd.Series(pd.to_datetime([NOON + timedelta(hours=h) for h in hours]).astype("datetime64[us]"))


LABELS = pd.DataFrame(
    {"id": [1, 2, 1], "at": at(0, 0, 24), "y": [True, False, True], "shop": ["a", "b", "a"]}
)
SOURCES = {"labels": {"path": "l.parquet", "time": "at"}, "events": {"path": "e.parquet", "time": "ts"}}
LABEL = {"source": "labels", "column": "y"}
DAY = {"windows": ["1d"]}


def project(features, sources=None, **sections):
    given = {"entity": "id", "time": "at", "label": LABEL, **sections}
    return project_of(sources=sources or SOURCES, features=features, **given)


EVENTS = pd.DataFrame({"id": [1, 1, 2], "ts": at(-5, 1, -1), "x": [1.0, 2.0, 4.0], "shop": ["q", "r", "s"]})


def test_features_have_their_own_name_when_it_is_theirs_alone():
    groups = [
        {"name": "row", "source": "labels", "columns": ["shop"]},
        {"name": "last", "source": "events", "columns": ["x", "shop"]},
    ]
    result, table = build(project(groups), {"labels": LABELS, "events": EVENTS})
    assert list(table) == ["id", "at", "y", "row__shop", "x", "last__shop"]
    assert [f["name"] for f in result.meta["features"]] == ["row__shop", "x", "last__shop"]
    assert [f["type"] for f in result.meta["features"]] == ["category", "number", "category"]
    assert table["x"].tolist() == [1.0, 2.0, 4.0]


def test_star_takes_every_column_but_keys_time_and_label():
    group = {"name": "row", "source": "labels", "columns": "*", "exclude": ["secret"]}
    labels = LABELS.assign(secret=1, size=[1, 2, 3])
    assert list(build(project([group]), {"labels": labels, "events": EVENTS})[1]) == [
        "id",
        "at",
        "y",
        "shop",
        "size",
    ]


def test_a_time_becomes_its_age_in_days():
    labels = LABELS.assign(since=at(-24, -12, 24), born=pd.to_datetime(["2024-02-29"] * 3).date)
    group = {"name": "row", "source": "labels", "columns": ["since", "born"]}
    _, table = build(project([group]), {"labels": labels, "events": EVENTS})
    by_row = table.sort_values(["at", "id"])
    assert by_row["since__age_days"].tolist() == [1.0, 0.5, 0.0]
    assert by_row["born__age_days"].tolist() == [1.5, 1.5, 2.5]


def test_names_may_hold_spaces_quotes_and_words_of_sql():
    labels = LABELS.rename(columns={"id": 'the "id"', "at": "select", "y": "Größe @ p0"})
    events = EVENTS.rename(columns={"id": 'the "id"', "ts": "order", "x": "a b;--"}).assign(t=1, code="z")
    groups = [{
        "name": "g", "source": "events", "columns": "*",
        "aggregates": [{"column": "a b;--", "functions": ["sum"], **DAY, "where": '"a b;--" > 0'}],
    }]  # fmt: skip
    given = project_of(
        sources={"labels": {"path": "l", "time": "select"}, "events": {"path": "e", "time": "order"}},
        entity='the "id"',
        time="select",
        label={"source": "labels", "column": "Größe @ p0"},
        features=groups,
    )
    _, table = build(given, {"labels": labels, "events": events})
    assert list(table)[3:] == ["a b;--", "shop", "t", "code", "g__a b;--__sum_1d"]
    assert table["g__a b;--__sum_1d"].tolist() == [1.0, 2.0, 4.0]


def test_constants_join_without_a_time_and_missing_ones_stay_missing():
    people = pd.DataFrame({"id": [1, 3], "age": [30, 50]})
    sources = {**SOURCES, "people": {"path": "p.parquet"}}
    group = {"name": "who", "source": "people", "columns": ["age"]}
    _, table = build(project([group], sources), {"labels": LABELS, "events": EVENTS, "people": people})
    assert table["age"].isna().tolist() == [False, False, True]


def test_constants_with_two_rows_for_a_key_are_refused_unless_no_label_asks():
    sources = {**SOURCES, "people": {"path": "p.parquet"}}
    group = {"name": "who", "source": "people", "columns": ["age"]}
    twice = pd.DataFrame({"id": [1, 1, 9, 9], "age": [1, 2, 3, 4]})
    with pytest.raises(
        DataError, match=r"features.who: 2 rows share id with another, such as id=1 \(2 rows\)"
    ):
        build(project([group], sources), {"labels": LABELS, "events": EVENTS, "people": twice})
    alone = twice[twice["id"] == 9].assign(id=[9, 9])
    build(project([group], sources), {"labels": LABELS, "events": EVENTS, "people": alone})


def test_keys_of_different_types_are_refused_and_whole_numbers_go_together():
    group = {"name": "last", "source": "events", "columns": ["x"]}
    with pytest.raises(DataError, match="column 'id': it joins integer in the label's source, text here"):
        build(project([group]), {"labels": LABELS, "events": EVENTS.assign(id=["1", "1", "2"])})
    floats = EVENTS.assign(id=[1.0, 1.0, None])
    _, table = build(project([group]), {"labels": LABELS, "events": floats})
    assert table["x"].isna().tolist() == [False, False, True]


def test_rows_of_one_time_are_resolved_by_their_order():
    events = pd.DataFrame({"id": [1, 1, 1], "ts": at(-1, -1, -2), "x": [1.0, 2.0, 3.0]})
    group = {"name": "last", "source": "events", "columns": ["x"]}
    _, table = build(project([group]), {"labels": LABELS, "events": events})
    assert table["x"].dropna().tolist() == [2.0, 2.0]


def test_part_files_count_in_order_of_their_names(tmp_path):
    tables = write_tables(tmp_path / "tables", {"labels": LABELS, "events": EVENTS.assign(ts=at(-1, -1, -1))})
    more = pa.Table.from_pandas(pd.DataFrame({"id": [1], "ts": at(-1), "x": [9.0], "shop": ["z"]}))
    pq.write_table(more, tables / "events" / "part-00001.parquet")
    group = {"name": "last", "source": "events", "columns": ["x"]}
    build_training_set(project([group]), tables, tmp_path / "out")
    assert pq.read_table(tmp_path / "out" / "data")["x"].to_pylist() == [9.0, 9.0, 4.0]


def test_immature_missing_and_timeless_rows_are_left_out_and_counted():
    labels = pd.DataFrame({
        "id": [1, 2, 3, 4, None, 6],
        "at": pd.concat([at(0, 0, 23, 25, 0), pd.Series([pd.NaT])], ignore_index=True),
        "y": [1, 0, 1, 0, 1, 1],
    })  # fmt: skip
    labels.loc[1, "y"] = None
    label = {**LABEL, "maturity": "2d", "observed_until": (NOON + timedelta(days=3)).isoformat()}
    labels = pd.concat([labels, pd.DataFrame({"id": [7], "at": at(24), "y": [0.0]})])
    group = {"name": "row", "source": "labels", "columns": "*"}
    given = project([group], label=label)
    result, table = build(given, {"labels": labels.assign(v=1), "events": EVENTS})
    assert table["id"].tolist() == [1, 3, 7]
    assert result.excluded == {"immature label": 1, "no entity": 1, "no label": 1, "no time": 1}
    assert result.label_counts == {"0.0": 1, "1.0": 2}


@pytest.mark.parametrize(("until", "as_of"), [(3, 5), (5, 3)])
def test_as_of_an_earlier_day_no_later_label_is_known(tmp_path, until, as_of):
    labels = pd.DataFrame({"id": [1, 2, 3], "at": at(0, 23, 25), "y": [1, 0, 1], "v": 1})
    tables = write_tables(tmp_path / "tables", {"labels": labels, "events": EVENTS})
    read = read_manifest(tables)
    write_manifest(tables, replace(read, as_of=(NOON + timedelta(days=as_of)).isoformat()))
    label = {**LABEL, "maturity": "2d", "observed_until": (NOON + timedelta(days=until)).isoformat()}
    given = project([{"name": "row", "source": "labels", "columns": "*"}], label=label)
    result = build_training_set(given, tables, tmp_path / "out")
    assert (result.rows, result.excluded) == (2, {"immature label": 1})


def test_past_labels_count_only_once_they_are_mature():
    labels = pd.DataFrame({"id": [1] * 4, "at": at(0, 24, 48, 72), "y": [1, 0, 1, 1]})
    group = {
        "name": "past", "source": "labels",
        "aggregates": [
            {"functions": ["count"], "windows": ["30d"]},
            {"column": "y", "functions": ["count", "sum"], "windows": ["30d"]},
            {"functions": ["count"], "windows": ["20d"], "where": "y = 1"},
        ],
    }  # fmt: skip
    label = {**LABEL, "maturity": "36h", "observed_until": "2025-01-01"}
    _, table = build(project([group], label=label), {"labels": labels, "events": EVENTS})
    assert table["past__rows__count_30d"].tolist() == [0, 1, 2, 3]
    assert table["past__y__count_30d"].tolist() == [0, 0, 1, 2]
    assert table["past__y__sum_30d"].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert table["past__rows__count_20d"].tolist() == [0, 0, 1, 1]


def test_the_instant_of_the_label_counts_for_values_but_not_for_aggregates():
    events = pd.DataFrame({"id": [1, 1], "ts": at(-1, 0), "x": [1.0, 2.0]})
    aggregates = [{"column": "x", "functions": ["sum"], "windows": ["1h"]}]
    group = {"name": "g", "source": "events", "columns": ["x"], "aggregates": aggregates}
    _, table = build(project([group]), {"labels": LABELS, "events": events})
    first = table.iloc[0]
    assert first["x"] == 2.0
    assert first["g__x__sum_1h"] == 1.0


def test_no_events_at_all():
    group = {"name": "g", "source": "events", "columns": ["x"], "aggregates": [
        {"column": "x", "functions": ["count", "sum", "mean", "std", "min", "distinct", "recency"], **DAY}
    ]}  # fmt: skip
    empty = EVENTS.head(0).assign(id=pd.Series([], dtype="str"))
    _, table = build(project([group]), {"labels": LABELS, "events": empty})
    assert table["g__x__count_1d"].tolist() == table["g__x__distinct_1d"].tolist() == [0, 0, 0]
    assert table["g__x__sum_1d"].tolist() == [0.0, 0.0, 0.0]
    assert (
        table[["x", "g__x__mean_1d", "g__x__std_1d", "g__x__min_1d", "g__x__recency_days"]]
        .isna()
        .all(axis=None)
    )


def test_a_plain_table_without_entity_or_time():
    labels = pd.DataFrame({"a": [3.0, 1.0, None], "b": ["x", "y", "x"], "y": [0.5, 1.5, 2.5]})
    given = project_of(
        sources={"labels": {"path": "l.parquet"}},
        label=LABEL,
        features=[{"name": "all", "source": "labels", "columns": "*"}],
        task="regression",
    )
    result, table = build(given, {"labels": labels})
    assert list(table) == ["y", "a", "b"]
    assert table["y"].tolist() == [0.5, 1.5, 2.5]
    assert result.meta["key"] == []


def test_rows_to_score_need_no_label_and_none_is_left_out():
    rows = pd.DataFrame({"id": [2, 1], "at": at(500_000, 0), "shop": ["c", None]})
    sources = {**SOURCES, "new": {"path": "n.parquet", "time": "at"}}
    groups = [
        {"name": "row", "source": "labels", "columns": ["shop"]},
        {"name": "last", "source": "events", "columns": ["x"]},
        {"name": "past", "source": "labels", "aggregates": [{"functions": ["count"], "windows": ["5w"]}]},
    ]
    given = project(groups, sources, predict={"source": "new"})
    tables = {"labels": LABELS, "events": EVENTS, "new": rows}
    result, table = build(given, tables, purpose="predict")
    assert list(table) == ["id", "at", "shop", "x", "past__rows__count_35d"]
    assert table["id"].tolist() == [1, 2]
    assert table["shop"].isna().tolist() == [True, False]
    assert table["x"].tolist() == [1.0, 4.0]
    assert result.meta["label"] is None
    assert result.excluded == {}


def test_columns_for_slices_and_groups_come_along_without_being_features():
    given = project(
        [{"name": "last", "source": "events", "columns": ["x"]}], slices=[{"column": "shop"}, {"column": "x"}]
    )
    result, table = build(given, {"labels": LABELS, "events": EVENTS})
    assert list(table) == ["id", "shop", "at", "y", "x"]
    assert result.meta["extra"] == ["shop"]


def test_duplicate_keys_are_refused_by_their_keys():
    twice = pd.concat([LABELS, LABELS.head(1)])
    group = {"name": "last", "source": "events", "columns": ["x"]}
    given = project([group], label={**LABEL, "key": ["id", "at"]})
    with pytest.raises(DataError, match=r"duplicate keys: 2 rows .* id=1, at=2024-03-01 12:00:00 \(2 rows\)"):
        build(given, {"labels": twice, "events": EVENTS})
    result, _ = build(project([group]), {"labels": twice, "events": EVENTS})
    assert "2 rows share id, at with another" in result.alerts[0]


@pytest.mark.parametrize(
    ("labels", "sections", "message"),
    [
        (LABELS.assign(y=True), {}, "label 'y': one class: all 3 rows have True"),
        (LABELS.assign(y=["a", "b", "a"]), {"task": "regression"}, "holds text values; expected numbers"),
        (LABELS.assign(y=at(0, 1, 2)), {}, "holds timestamp values"),
        (LABELS, {"label": {**LABEL, "positive": "yes"}}, "no row has 'yes'; expected one of False, True"),
        (LABELS, {"label": {**LABEL, "observed_until": "2020-01-01"}}, "no row is left .*3 immature label"),
        (LABELS.drop(columns="y"), {}, "source labels: no column 'y'"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(labels, sections, message):
    group = {"name": "last", "source": "events", "columns": ["x"]}
    with pytest.raises(DataError, match=message):
        build(project([group], **sections), {"labels": labels, "events": EVENTS})


COUNT = {"functions": ["count"], **DAY}


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"columns": ["z"]}, "source events: no column 'z'"),
        ({"columns": ["x"], "on": ["nope"]}, "no column 'nope' .features.g.on names it"),
        (
            {"aggregates": [{"column": "shop", "functions": ["sum"], **DAY}]},
            "sum of 'shop', which holds text",
        ),
        ({"aggregates": [{**COUNT, "where": "x >"}]}, "aggregates.where: syntax error"),
        ({"aggregates": [{**COUNT, "where": "x in (select 1)"}]}, "more than a condition"),
        ({"aggregates": [{**COUNT, "where": "x > 0) union (select 1"}]}, "aggregates.where"),
        ({"aggregates": [{**COUNT, "where": "nope > 1"}]}, "nope"),
        ({"aggregates": [COUNT, {**COUNT, "where": "x > 1"}]}, "two features are called 'g__rows__count_1d'"),
    ],
)
def test_features_that_cannot_be_computed_are_refused(group, message):
    with pytest.raises(DataError, match=message):
        build(project([{"name": "g", "source": "events", **group}]), {"labels": LABELS, "events": EVENTS})


def test_the_same_rows_give_the_same_bytes_whatever_the_memory(tmp_path):
    import random

    rng = random.Random(3)
    n = 3000
    events = pd.DataFrame({
        "id": [rng.randrange(40) for _ in range(n)],
        "ts": at(*(-rng.random() * 900 for _ in range(n))),
        "x": [rng.gauss(0, 1) for _ in range(n)],
    })  # fmt: skip
    labels = pd.DataFrame({"id": [i % 40 for i in range(200)], "at": at(*(-i for i in range(200)))})
    labels["y"] = [i % 3 == 0 for i in range(200)]
    tables = write_tables(tmp_path / "tables", {"labels": labels, "events": events})
    group = {"name": "g", "source": "events", "columns": ["x"], "aggregates": [
        {"column": "x", "functions": ["sum", "mean", "std"], "windows": ["3d", "30d"]}
    ]}  # fmt: skip
    found = set()
    for memory, threads in (("256MiB", 1), ("512MiB", 2)):
        given = project([group], resources={"memory": memory, "threads": threads})
        out = tmp_path / memory
        digest = build_training_set(given, tables, out).digest
        found.add((digest, (out / "data" / "part-00000.parquet").read_bytes()))
    assert len(found) == 1


def test_nothing_is_left_when_it_fails(tmp_path):
    tables = write_tables(tmp_path / "tables", {"labels": LABELS.assign(y=True), "events": EVENTS})
    group = {"name": "last", "source": "events", "columns": ["x"]}
    with pytest.raises(DataError):
        build_training_set(project([group]), tables, tmp_path / "out" / "training_set")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_file_is_an_error_of_storage(tmp_path):
    tables = write_tables(tmp_path / "tables", {"labels": LABELS, "events": EVENTS})
    (tmp_path / "file").write_text("")
    group = {"name": "last", "source": "events", "columns": ["x"]}
    with pytest.raises(StorageError, match="not a folder"):
        build_training_set(project([group]), tables, tmp_path / "file" / "sub" / "training_set")


def test_meta_says_what_the_columns_mean(tmp_path):
    tables = write_tables(tmp_path / "tables", {"labels": LABELS, "events": EVENTS})
    group = {"name": "last", "source": "events", "columns": ["x"], "aggregates": [
        {"functions": ["recency"]}
    ]}  # fmt: skip
    given = project([group], label={**LABEL, "observed_until": "2024-06-01"})
    build_training_set(given, tables, tmp_path / "out")
    meta = json.loads((tmp_path / "out" / "meta.json").read_text())
    assert meta == {
        "name": "test", "purpose": "train", "rows": 3, "digest": meta["digest"], "version": 0, "uri": "",
        "entity": ["id"], "time": "at", "label": "y", "key": ["id"], "extra": [],
        "features": [
            {"name": "x", "group": "last", "type": "number", "source": "events"},
            {"name": "last__recency_days", "group": "last", "type": "number", "source": "events"},
        ],
        "excluded": {}, "label_counts": {"False": 1, "True": 2}, "as_of": "2024-06-01T00:00:00",
        "engine": "duckdb",
    }  # fmt: skip
