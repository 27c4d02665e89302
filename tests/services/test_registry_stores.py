"""The registry on every kind of store: many users at once, and a byte changed behind its back."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evergreen.bundle import manifest
from evergreen.decisions import Decision
from evergreen.errors import BundleError, ConflictError, NotFoundError, StorageError
from evergreen.registry import Registry
from evergreen.storage import Store, open_store

PASSED = [Decision("model", "f1 min", "pass", "f1 0.8 is at least 0.7", 0.7, 0.8)]


def make_bundle(folder: Path, content: str) -> Path:
    folder.mkdir(parents=True)
    for name in ("model.skops", "parity.json", "signature.json", "training.json"):
        (folder / name).write_text(f'{{"content": "{content}"}}')
    manifest.write(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_users_at_once_each_with_a_connection_of_their_own(root: str, store: Store, tmp_path: Path):
    """Eight users push six bundles (two of them twice) and fight over the aliases."""
    bundles = [make_bundle(tmp_path / str(i), str(i)) for i in range(6)]
    jobs = [*bundles, bundles[0], bundles[1]]

    def work(bundle: Path) -> int:
        registry = Registry(open_store(root))
        version = registry.push("churn", bundle, decisions=PASSED)
        registry.move("churn", "candidate", version.version, why="newest")
        registry.move("churn", "baseline", version.version, why="best")
        return version.version

    with ThreadPoolExecutor(len(jobs)) as pool:
        numbers = list(pool.map(work, jobs))
    assert numbers[0] == numbers[6]
    assert numbers[1] == numbers[7]
    assert sorted(set(numbers)) == [1, 2, 3, 4, 5, 6]

    registry = Registry(store)
    (model,) = registry.models()
    assert model.versions == (1, 2, 3, 4, 5, 6)
    standing: dict[str, int] = {}
    for move in registry.history("churn"):
        assert move.previous == standing.get(move.alias, 0)
        standing[move.alias] = move.version
    assert standing == model.aliases
    for number, bundle in zip(numbers, jobs, strict=True):
        assert registry.fetch(f"churn@{number}", tmp_path / "out").version == number
        assert contents(tmp_path / "out") == contents(bundle)


def test_of_two_promotions_from_one_baseline_one_wins(root: str, store: Store, tmp_path: Path):
    registry = Registry(store)
    for content in "abc":
        registry.push("churn", make_bundle(tmp_path / content, content), decisions=PASSED)
    registry.move("churn", "baseline", 1, why="first")

    def promote(version: int) -> bool:
        try:
            return bool(Registry(open_store(root)).move("churn", "baseline", version, why="race", expected=1))
        except ConflictError:
            return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(promote, [2, 3])) == [False, True]
    assert registry.aliases("churn")["previous"] == 1


def test_a_changed_byte_is_named(store: Store, tmp_path: Path):
    registry = Registry(store)
    registry.push("churn", make_bundle(tmp_path / "a", "a"), decisions=PASSED)
    key = "models/churn/versions/000001/bundle/model.skops"
    data = bytearray(store.read(key))
    data[0] ^= 1
    store.write(key, bytes(data))
    with pytest.raises(BundleError, match=r"versions/000001/bundle/model\.skops"):
        registry.fetch("churn@1", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_empty_registry_says_so(store: Store, tmp_path: Path):
    registry = Registry(store)
    assert registry.models() == []
    with pytest.raises(NotFoundError, match="which has none"):
        registry.resolve("churn@baseline")
    assert registry.fetch_or_empty("churn@baseline", tmp_path / "out") is None
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.service
def test_a_missing_bucket_is_not_an_empty_registry(s3_root: str, tmp_path: Path):
    registry = Registry(open_store("s3://not-there/x"))
    with pytest.raises(StorageError, match="no such bucket"):
        registry.fetch_or_empty("churn@baseline", tmp_path / "out")
    assert not (tmp_path / "out").exists()
