import duckdb
import numpy as np
import pandas as pd
import pytest

from evergreen.errors import DataError
from evergreen.profile import Profile, profile_table
from evergreen.profile.counting.hashes import sketch
from evergreen.profile.counting.reading import readers
from evergreen.project.model import Resources, SliceBy
from evergreen.tables import connect, scan


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(5)
    n = 30_000
    frame = pd.DataFrame(
        {
            "money": rng.lognormal(3, 2, n),
            "signed": rng.normal(-2, 5, n),
            "whole": rng.integers(-50, 5000, n),
            "few": rng.integers(0, 4, n),
            "colour": rng.choice(["red", "green", "blue", ""], n, p=[0.5, 0.3, 0.15, 0.05]),
            "flag": rng.random(n) < 0.3,
            "when": pd.Timestamp("1965-01-01") + pd.to_timedelta(rng.integers(0, 10**9, n), unit="s"),
            "name": [f"person {i}" for i in range(n)],
        }
    )
    frame.loc[rng.random(n) < 0.1, "money"] = None
    frame.loc[rng.random(n) < 0.2, "colour"] = None
    return frame


def test_numbers_agree_with_numpy(table, frame):
    profile = profile_table(table(frame))
    for name in ("money", "signed", "whole", "few"):
        column, values = profile.by_name[name], frame[name].dropna().to_numpy(float)
        numbers = column.numbers
        assert column.rows == len(frame) and column.missing == len(frame) - len(values)
        assert (numbers.count, numbers.zeros, numbers.negative) == (
            len(values), int((values == 0).sum()), int((values < 0).sum()),
        )  # fmt: skip
        assert (numbers.minimum, numbers.maximum) == (values.min(), values.max())
        assert numbers.mean == pytest.approx(values.mean(), rel=1e-12)
        assert numbers.std == pytest.approx(values.std(), rel=1e-9)
        for bins in (numbers.bins, numbers.histogram):
            expected = np.bincount(np.searchsorted(bins.edges, values), minlength=len(bins.edges) + 1)
            assert list(bins.counts) == expected.tolist()


def test_edges_are_reference_quantiles(table, frame):
    bins = profile_table(table(frame)).by_name["money"].numbers.bins
    assert len(bins.edges) == 19
    shares = np.array(bins.counts) / sum(bins.counts)
    assert np.abs(shares - 0.05).max() < 0.001


def test_values_lengths_and_distinct(table, frame):
    profile = profile_table(table(frame))
    colour = profile.by_name["colour"]
    assert dict(colour.values.items) == frame["colour"].value_counts().to_dict()
    assert colour.values.complete and colour.values.other == 0 and colour.sketch.exact == 4
    lengths = frame["colour"].dropna().str.len()
    assert (colour.lengths.minimum, colour.lengths.maximum) == (0, 5)
    assert (colour.lengths.total, colour.lengths.empty) == (lengths.sum(), (lengths == 0).sum())
    few = profile.by_name["few"]
    assert dict(few.values.items) == frame["few"].value_counts().to_dict()
    assert profile.by_name["flag"].values.items == (
        (False, int((~frame.flag).sum())),
        (True, int(frame.flag.sum())),
    )
    name = profile.by_name["name"]
    assert name.unique is True and name.values.items == () and name.values.other == len(frame)
    assert name.sketch.exact is None
    assert name.sketch.distinct == pytest.approx(len(frame), rel=0.15)


def test_many_texts_keep_the_frequent_ones(table):
    path = table(
        "SELECT CASE WHEN i % 10 = 0 THEN 'often' WHEN i % 10 = 1 THEN 'sometimes' ELSE 'x' || i END AS t "
        "FROM range(200000) r(i)"
    )
    values = profile_table(path).by_name["t"].values
    assert values.items == (("often", 20_000), ("sometimes", 20_000))
    assert values.other == 160_000 and not values.complete


@pytest.mark.slow
def test_same_bytes_whatever_the_threads(table, frame):
    path = table(pd.concat([frame] * 10))
    one, two = (profile_table(path, resources=Resources(threads=t)).to_json() for t in (1, 2))
    assert one == two
    assert Profile.from_json(one).to_json() == one


def test_times_before_1970_count_in_seconds(table):
    path = table(
        "SELECT unnest(['1955-03-01 00:00:00.5'::TIMESTAMP, '1970-01-01', NULL, 'infinity', '-infinity']) t, "
        "unnest(['1955-03-01'::DATE, '2020-01-01', NULL, 'infinity', '5000-01-01']) AS d, "
        "unnest(['1955-03-01 00:00:00+02'::TIMESTAMPTZ, '1970-01-01', NULL, 'infinity', '-infinity']) AS z"
    )
    columns = profile_table(path).by_name
    t, d, z = (columns[n] for n in "tdz")
    assert t.numbers.minimum == pd.Timestamp("1955-03-01 00:00:00.5").timestamp()
    assert (t.missing, t.invalid, t.numbers.positive_infinite, t.numbers.negative_infinite) == (1, 2, 1, 1)
    assert d.numbers.minimum == pd.Timestamp("1955-03-01").timestamp() and d.invalid == 1
    assert z.numbers.minimum == pd.Timestamp("1955-02-28 22:00").timestamp() and z.invalid == 2


@pytest.mark.parametrize("stored", ["TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP", "DATE"])
def test_every_time_type(table, stored):
    column = profile_table(table(f"SELECT '2020-02-03'::{stored} AS t FROM range(3)")).by_name["t"]
    assert column.numbers.minimum == pd.Timestamp("2020-02-03").timestamp() and column.constant


def test_nan_and_infinities_are_invalid_not_missing(table):
    path = table("SELECT unnest(['1', 'nan', 'inf', 'inf', '-inf', NULL, '-0.0']::FLOAT[]) AS x")
    column = profile_table(path).by_name["x"]
    numbers = column.numbers
    assert (column.missing, column.invalid, column.valid) == (1, 4, 2)
    assert (numbers.nan, numbers.positive_infinite, numbers.negative_infinite) == (1, 2, 1)
    assert (numbers.minimum, numbers.maximum, numbers.mean, numbers.zeros) == (0, 1, 0.5, 1)
    assert "NaN" not in profile_table(path).to_json()


def test_extreme_numbers(table):
    big = 170141183460469231731687303715884105727
    path = table(
        f"SELECT unnest([{big}, -{big}, 5]::HUGEINT[]) AS h, "
        "unnest([1.7e308, -1.7e308, 1.7e308]) AS d, unnest([5e-324, 1e-323, 5e-324]) AS tiny, "
        "unnest([1.25, 99.5, -3]::DECIMAL(18, 3)[]) AS dec, "
        "unnest([18446744073709551615, 1, 2]::UBIGINT[]) AS u"
    )
    columns = profile_table(path).by_name
    assert columns["d"].numbers.mean == pytest.approx(1.7e308 / 3)
    assert columns["d"].numbers.m2 is None and columns["d"].numbers.std is None
    assert columns["u"].numbers.maximum == 2**64 - 1
    assert columns["dec"].numbers.mean == pytest.approx(97.75 / 3) and columns["dec"].type == "number"
    assert columns["h"].numbers.count == 3
    assert columns["tiny"].numbers.minimum == 5e-324


def test_mean_does_not_suffer_from_a_large_offset(table):
    path = table("SELECT 1e9 + (i % 3) AS x FROM range(30000) r(i)")
    numbers = profile_table(path).by_name["x"].numbers
    assert numbers.mean == 1e9 + 1
    assert numbers.std == pytest.approx((2 / 3) ** 0.5, rel=1e-6)


def test_nested_columns_are_only_counted(table):
    path = table(
        "SELECT [1, 2] AS l, {'a': 1} AS s, MAP {'k': 1} AS m, CASE WHEN i > 0 THEN 'x'::BLOB END AS b, "
        "'12:00'::TIME AS t, INTERVAL 1 DAY AS v, uuid() AS u FROM range(2) r(i)"
    )
    columns = profile_table(path).by_name
    for name in "lsmb":
        assert (
            columns[name].family == "other" and columns[name].numbers is None and columns[name].values is None
        )
    assert columns["b"].missing == 1
    assert columns["t"].values.items == (("12:00:00", 2),) and columns["u"].unique


def test_empty_all_missing_and_constant(table):
    path = table("SELECT NULL::DOUBLE AS n, NULL::VARCHAR AS t, NULL AS x, 7 AS c, 'k' AS k FROM range(4)")
    full = profile_table(path).by_name
    assert [full[n].missing for n in "ntx"] == [4, 4, 4]
    assert full["c"].constant and full["k"].constant and not full["n"].constant
    assert full["n"].numbers.mean is None and full["n"].numbers.bins.counts == (0,)
    empty = profile_table(
        table("SELECT 1 AS a, 'b' AS b, 1.5 AS c, true AS d, now() AS e WHERE false", "empty")
    )
    assert empty.rows == 0 and all(c.rows == 0 and not c.constant for c in empty.columns)
    assert Profile.from_json(empty.to_json()) == empty


ODD = [
    'a"b',
    "select",
    "x y",
    "größe",
    "UPPER",
    "v_0",
    "g",
    "v",
    "row 0",
    "file_row_number",
    "日本",
    "a'b",
    "{v}",
]


@pytest.mark.slow
def test_odd_column_names_mean_nothing(table):
    columns = ", ".join(f"""i * {k} AS "{n.replace('"', '""')}" """ for k, n in enumerate(ODD, start=1))
    path = table(f"SELECT {columns} FROM range(120000) r(i)")
    profile = profile_table(path, slices=[SliceBy(column="{v}", edges=[5000])])
    assert [c.name for c in profile.columns] == ODD
    for k, column in enumerate(profile.columns, start=1):
        assert column.numbers.maximum == 119_999 * k
        assert np.ptp(np.array(column.numbers.bins.counts) / 6000) < 0.1
    assert profile_table(path, edges_from=profile, slices=[SliceBy(column="{v}", edges=[5000])]) == profile


def test_reference_layout_counts_what_is_new(table):
    reference = profile_table(table("SELECT i AS x, 'c' || (i % 3) AS c, i % 2 AS d FROM range(1000) r(i)"))
    current = profile_table(
        table(
            "SELECT 5000 + i AS x, 'c' || (i % 4) AS c, i % 3 AS d, 1 AS fresh FROM range(400) r(i)", "now"
        ),
        edges_from=reference,
    )
    x, c, d = (current.by_name[n] for n in "xcd")
    assert x.numbers.bins.edges == reference.by_name["x"].numbers.bins.edges
    assert x.numbers.bins.counts[-1] == 400
    assert dict(c.values.items) == {"c0": 100, "c1": 100, "c2": 100} and c.values.other == 100
    assert c.values.complete
    assert dict(d.values.items) == {0: 134, 1: 133} and d.values.other == 133


def test_another_family_gets_its_own_layout(table):
    reference = profile_table(table("SELECT i AS x FROM range(100) r(i)"))
    current = profile_table(table("SELECT 'a' AS x FROM range(10)", "now"), edges_from=reference)
    assert current.by_name["x"].values.items == (("a", 10),)


def test_slices_add_up(table, frame):
    path = table(frame)
    profile = profile_table(
        path,
        {"flag": "label"},
        slices=[SliceBy(column="colour", top=2), SliceBy(column="whole", edges=[0, 1000])],
    )
    parts = {s.name: s.profile for s in profile.slices}
    assert set(parts) == {
        "colour=red",
        "colour=green",
        "whole=[−∞, 0)",
        "whole=[0, 1,000)",
        "whole=[1,000, ∞)",
    }
    red = frame[frame.colour == "red"]
    assert parts["colour=red"].rows == len(red)
    assert parts["colour=red"].by_name["signed"].numbers.mean == pytest.approx(red.signed.mean(), rel=1e-12)
    assert dict(parts["colour=red"].label.values.items)[True] == red.flag.sum()
    ranges = [p for name, p in parts.items() if name.startswith("whole")]
    assert sum(p.rows for p in ranges) == len(frame)
    for i in range(20):
        whole = profile.by_name["signed"].numbers.bins.counts[i]
        assert sum(p.by_name["signed"].numbers.bins.counts[i] for p in ranges) == whole


def test_folder_with_meta_gives_roles(tmp_path):
    (tmp_path / "data").mkdir()
    for part, (low, high) in enumerate([(0, 50), (50, 100)]):
        duckdb.execute(
            f"COPY (SELECT i AS id, '2020-01-01'::TIMESTAMP AS t, i % 2 AS y FROM range({low}, {high}) r(i))"
            f" TO '{tmp_path}/data/part-{part}.parquet'"
        )
    (tmp_path / "meta.json").write_text('{"entity": ["id"], "time": "t", "label": "y", "key": ["id"]}')
    profile = profile_table(tmp_path)
    assert {c.name: c.role for c in profile.columns} == {"id": "key", "t": "time", "y": "label"}
    assert profile.rows == 100 and profile.key == ("id",) and profile.label.values.items == ((0, 50), (1, 50))


def test_bad_tables_are_named(tmp_path, table):
    with pytest.raises(DataError, match="nothing-here"):
        profile_table(tmp_path / "nothing-here")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 this is not parquet PAR1")
    with pytest.raises(DataError, match="broken"):
        profile_table(broken)
    with pytest.raises(DataError, match=r"(?s)'wher'.*Did you mean `where`"):
        profile_table(table('SELECT 1 AS "where"'), slices=[SliceBy(column="wher")])


def test_a_profile_that_is_none_is_refused():
    with pytest.raises(DataError, match="not a profile"):
        Profile.from_json('{"rows": "many", "columns": []}')
    with pytest.raises(DataError, match="format 1"):
        Profile.from_json('{"rows": 1, "columns": [], "format": 2}')


@pytest.mark.slow
@pytest.mark.parametrize(
    "stored", ["TINYINT", "BIGINT", "HUGEINT", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL(9, 2)"]
)
def test_listed_values_give_the_sketch_of_the_rows(table, stored):
    path = table(f"SELECT (i % 7)::{stored} AS x, 'a' || (i % 7) AS t, i % 2 = 0 AS b FROM range(500) r(i)")
    with connect() as con:
        for reader in readers(con, scan(path)):
            column = profile_table(path).by_name[reader.name]
            assert column.sketch == sketch(con, scan(path), reader, 7)
