import numpy as np
import pandas as pd
import pytest

from evergreen.profile import Profile, merge, profile_table
from evergreen.profile.traits.observe import with_traits
from evergreen.profile.traits.tallies import decimals, flags, form
from evergreen.profile.validation.association import loosened
from evergreen.profile.validation.shifts import shifts


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Berlin 10115", "Aa 9"), ("00-1234", "9-9"), ("é", "é"), ("Ã©t", "é©a"), ("", ""), ("AB  cd", "A a")],
)
def test_forms(text, expected):
    assert form(text) == expected


def test_flags():
    assert flags("") == ["empty"]
    assert flags(" a") == ["leading space", "lower case"]
    assert "encoding" in flags("CafÃ©") and "encoding" not in flags("Café")
    assert "leading zero" in flags("0042") and "leading zero" not in flags("42")
    assert "trailing space" in flags("A ") and "double space" in flags("a  b")


def test_decimals():
    values = np.array([1.5, 2.0, 0.125, 1 / 3, 30.0, 500.0, 0.0, 1e300, -2.25])
    assert decimals(values).tolist() == [1, 0, 3, 6, -1, -2, 0, -3, 2]
    assert decimals(np.array([0.1, 2.55], dtype=np.float32).astype(float)).tolist() == [1, 2]


def observed(table, frame, name, like=None):
    path = table(frame, name)
    return with_traits(profile_table(path), path, like=like).traits


def world(seed, n=2000):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return pd.DataFrame(
        {
            "x": x, "y": x + rng.normal(size=n), "z": rng.normal(size=n),
            "c": np.where(x > 0.5, "high", "low"),
            "t": pd.Timestamp("2025-01-01")
            + pd.to_timedelta(rng.integers(8, 18, n) + rng.integers(0, 364, n) * 24, "h"),
        }
    )  # fmt: skip


def test_traits_survive_their_file_and_merging(table):
    path = table(world(1))
    profile = with_traits(profile_table(path), path)
    assert Profile.from_json(profile.to_json()) == profile
    bare = profile_table(path)
    assert merge(profile, bare).traits == merge(bare, profile).traits == profile.traits


@pytest.mark.slow
def test_a_broken_relation_names_the_column(table):
    before = observed(table, world(1), "before")
    same = observed(table, world(2), "same", before)
    assert loosened(before, same, frozenset()) == [] and shifts(before, same, list("xyzct")) == []
    frame = world(2)
    frame["y"] = np.random.default_rng(3).permutation(frame["y"])
    (broken,) = loosened(before, observed(table, frame, "broken", before), frozenset())
    assert broken.column == "y" and broken.others[0] == "x" and abs(broken.before) > abs(broken.now)
    assert loosened(before, observed(table, frame, "broken", before), frozenset({"y"})) == []


def test_traits_of_odd_tables(table):
    frame = pd.DataFrame({"nothing": [None] * 30, "l": [[1]] * 30, "one": ["a"] * 30})
    before = observed(table, frame, "odd")
    assert before.rows == 30 and not before.codings and before.repeated == 29
    empty = observed(table, frame[:0], "empty", before)
    assert (
        empty.rows == 0
        and shifts(before, empty, ["one"]) == []
        and loosened(before, empty, frozenset()) == []
    )
