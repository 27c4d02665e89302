"""Aliases and references: moves, their history, and what is said about names that lead nowhere."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sample_bundle import PASSED, make_bundle

from evergreen.errors import ConflictError, InputError, NotFoundError, StorageError
from evergreen.registry import Move, Registry
from evergreen.storage.local import LocalStore


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Model `churn` with versions 1 to 3, model `coupons` with one."""
    registry = Registry(LocalStore(tmp_path / "store"))
    for content in ("1", "2", "3"):
        registry.push("churn", make_bundle(tmp_path / content, content), decisions=PASSED)
    registry.push("coupons", tmp_path / "1", decisions=PASSED)
    return registry


def test_a_moved_baseline_leaves_previous_behind(registry, monkeypatch):
    monkeypatch.setenv("EVERGREEN_ACTOR", "ada")
    assert [m.alias for m in registry.move("churn", "baseline", 1, why="first")] == ["baseline"]
    assert registry.aliases("churn") == {"baseline": 1}
    registry.move("churn", "baseline", 3, why="better", evidence="report.html")
    assert registry.aliases("churn") == {"baseline": 3, "previous": 1}
    assert registry.resolve("churn@baseline").version == 3
    assert registry.resolve("churn@previous").version == 1
    registry.move("churn", "baseline", 1, why="rolled back")
    assert registry.aliases("churn") == {"baseline": 1, "previous": 3}

    first, second, left, *_ = registry.history("churn")
    assert first == Move("baseline", 1, 0, first.when, "ada", "first", "")
    assert (second.version, second.previous, second.why, second.evidence) == (3, 1, "better", "report.html")
    assert (left.alias, left.version, left.previous) == ("previous", 1, 0)
    assert len(registry.history("churn")) == 5


def test_a_move_to_where_it_stands_is_none(registry):
    registry.move("churn", "baseline", 2, why="first")
    assert registry.move("churn", "baseline", 2, why="again", expected=1) == ()
    assert registry.aliases("churn") == {"baseline": 2}
    assert len(registry.history("churn")) == 1


def test_a_move_from_elsewhere_than_expected_is_refused(registry):
    registry.move("churn", "baseline", 1, why="first", expected=0)
    with pytest.raises(ConflictError, match=r"stands at version 1, not at version 2"):
        registry.move("churn", "baseline", 3, why="late", expected=2)
    with pytest.raises(ConflictError, match="not at no version"):
        registry.move("churn", "baseline", 3, why="late", expected=0)
    assert registry.aliases("churn") == {"baseline": 1}


def test_of_many_moves_from_one_place_one_wins_and_the_history_is_a_chain(registry):
    registry.move("churn", "baseline", 1, why="first")

    def attempt(version: int) -> bool:
        try:
            return bool(registry.move("churn", "baseline", version, why="race", expected=1))
        except ConflictError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(attempt, [2, 3] * 4)).count(True) == 1
        list(pool.map(lambda v: registry.move("churn", "candidate", v, why="any"), [1, 2, 3] * 8))
    standing: dict[str, int] = {}
    for move in registry.history("churn"):
        assert move.previous == standing.get(move.alias, 0)
        standing[move.alias] = move.version
    assert standing == registry.aliases("churn")


def test_an_unblessed_version_is_no_baseline(registry, tmp_path):
    raw = registry.push("churn", make_bundle(tmp_path / "raw", "raw"), decisions=[], allow_unblessed=True)
    with pytest.raises(InputError, match="not blessed"):
        registry.move("churn", "baseline", raw.version, why="hurry")
    registry.move("churn", "candidate", raw.version, why="look at it")
    registry.move("churn", "baseline", raw.version, why="on purpose", allow_unblessed=True)
    assert registry.aliases("churn")["baseline"] == raw.version


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        (
            "chrun@baseline",
            r"model chrun: not in the registry .*one of churn, coupons\. Did you mean 'churn'\?",
        ),
        ("zzz@1", r"model zzz: not in .*one of churn, coupons$"),
        (
            "churn@baselin",
            r"alias baselin: not in model churn .*one of baseline, mine\. Did you mean 'baseline'\?",
        ),
        ("churn@9", r"version 9: not in model churn .*one of 1, 2, 3"),
        ("coupons@baseline", r"alias baseline: not in model coupons .*has none\. Name a version"),
    ],
)
def test_names_that_lead_nowhere_say_which_do(registry, ref, said):
    registry.move("churn", "baseline", 1, why="first")
    registry.move("churn", "mine", 2, why="mine")
    with pytest.raises(NotFoundError, match=said):
        registry.resolve(ref)


@pytest.mark.parametrize(
    "ref", ["", "churn", "churn@", "@baseline", "churn@0", "churn@-1", "churn@Base", "churn@a@b"]
)
def test_references_that_are_none_say_how_to_write_one(registry, ref):
    with pytest.raises(InputError) as caught:
        registry.resolve(ref)
    assert not isinstance(caught.value, NotFoundError)
    assert caught.value.expected


def test_a_move_to_a_version_that_is_not_there(registry):
    with pytest.raises(NotFoundError, match=r"version 7.*one of 1, 2, 3"):
        registry.move("churn", "baseline", 7, why="typo")
    with pytest.raises(NotFoundError, match=r"model chur.*Did you mean 'churn'"):
        registry.move("chur", "baseline", 1, why="typo")
    with pytest.raises(InputError, match="alias"):
        registry.move("churn", "3", 1, why="a number is no alias")


def test_an_alias_of_a_lost_version_is_a_damage_not_an_absence(registry, tmp_path):
    registry.move("churn", "baseline", 1, why="first")
    LocalStore(tmp_path / "store").delete("models/churn/versions/000001/version.json")
    with pytest.raises(StorageError, match="points at a version that is gone") as caught:
        registry.resolve("churn@baseline")
    assert not isinstance(caught.value, NotFoundError)


def test_what_there_is(registry, tmp_path):
    registry.move("churn", "baseline", 2, why="first")
    churn, coupons = registry.models()
    assert (churn.name, churn.versions, churn.aliases) == ("churn", (1, 2, 3), {"baseline": 2})
    assert (coupons.name, coupons.versions, coupons.aliases) == ("coupons", (1,), {})
    rows = registry.listing()
    assert [(r["name"], r["version"], r["aliases"]) for r in rows] == [
        ("churn", 1, []),
        ("churn", 2, ["baseline"]),
        ("churn", 3, []),
        ("coupons", 1, []),
    ]
    assert Registry(LocalStore(tmp_path / "empty")).models() == []
    with pytest.raises(NotFoundError, match=r"which has none\. Run the train pipeline"):
        Registry(LocalStore(tmp_path / "empty")).history("churn")
