"""Pushing and fetching versions: once, twice, at once, interrupted, tampered with."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sample_bundle import FAILED, PASSED, make_bundle

from evergreen.decisions import Decision
from evergreen.errors import BundleError, ConflictError, GateStopped, InputError, NotFoundError, StorageError
from evergreen.registry import Registry
from evergreen.storage.local import LocalStore

EVALUATION = {
    "task": "binary",
    "primary": "roc_auc",
    "datasets": {
        "test": {"overall": {"rows": 9, "metrics": {"roc_auc": {"value": 0.8, "low": 0.7, "high": 0.9}}}}
    },
}


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture
def registry(store: LocalStore) -> Registry:
    return Registry(store)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_what_is_pushed_is_fetched_byte_for_byte(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("EVERGREEN_ACTOR", "the train pipeline")
    bundle = make_bundle(tmp_path / "bundle")
    version = registry.push("churn", bundle, decisions=PASSED, evaluation=EVALUATION, snapshot="abc")
    assert (version.name, version.version, version.blessed, version.snapshot) == ("churn", 1, True, "abc")
    assert version.digest == json.loads((bundle / "manifest.json").read_text())["digest"]
    assert version.by == "the train pipeline"
    assert version.evaluation["metrics"]["roc_auc"]["low"] == 0.7
    assert version.decisions == tuple(PASSED)
    assert registry.resolve("churn@1") == version
    assert registry.fetch("churn@1", tmp_path / "out" / "model") == version
    assert contents(tmp_path / "out" / "model") == contents(bundle)


def test_fetching_replaces_what_was_in_the_folder(registry, tmp_path):
    registry.push("churn", make_bundle(tmp_path / "bundle"), decisions=PASSED)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")
    registry.fetch("churn@1", tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "bundle")


def test_the_same_bundle_again_is_the_same_version(registry, tmp_path):
    a, b = make_bundle(tmp_path / "a", "a"), make_bundle(tmp_path / "b", "b")
    first = registry.push("churn", a, decisions=PASSED)
    assert registry.push("churn", b, decisions=PASSED).version == 2
    assert registry.push("churn", a, decisions=PASSED) == first
    assert [v.version for v in registry.versions("churn")] == [1, 2]
    assert registry.push("other", a, decisions=PASSED).version == 1


def test_a_blessing_makes_a_version_of_its_own(registry, tmp_path):
    bundle = make_bundle(tmp_path / "bundle")
    assert not registry.push("churn", bundle, decisions=[], allow_unblessed=True).blessed
    blessed = registry.push("churn", bundle, decisions=PASSED)
    assert (blessed.version, blessed.blessed) == (2, True)


def test_pushes_at_once_get_versions_of_their_own(registry, tmp_path):
    bundles = [make_bundle(tmp_path / str(i), str(i)) for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        pushed = list(pool.map(lambda b: registry.push("churn", b, decisions=PASSED), bundles))
    assert sorted(v.version for v in pushed) == list(range(1, 9))
    for version, bundle in zip(pushed, bundles, strict=True):
        registry.fetch(f"churn@{version.version}", tmp_path / "out")
        assert contents(tmp_path / "out") == contents(bundle)


def test_the_same_push_many_times_at_once_is_one_version(registry, tmp_path):
    bundle = make_bundle(tmp_path / "bundle")
    with ThreadPoolExecutor(8) as pool:
        pushed = list(pool.map(lambda _: registry.push("churn", bundle, decisions=PASSED), range(8)))
    assert len({v.version for v in pushed}) == 1
    assert len(registry.versions("churn")) == 1


class Dying(LocalStore):
    """A local store whose machine dies at the n-th write."""

    def __init__(self, root: Path, writes: int) -> None:
        super().__init__(root)
        self.left = writes

    def write_if(self, key: str, data: bytes, tag: str | None) -> str:
        self._live()
        return super().write_if(key, data, tag)

    def upload(self, path: Path, key: str) -> None:
        self._live()
        super().upload(path, key)

    def _live(self) -> None:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1


@pytest.mark.parametrize("writes", range(7))
def test_a_push_that_dies_anywhere_shows_nothing_and_is_taken_up_again(store, registry, tmp_path, writes):
    other, bundle = make_bundle(tmp_path / "other", "other"), make_bundle(tmp_path / "bundle")
    dying = Registry(Dying(tmp_path / "store", writes))
    with pytest.raises(KeyboardInterrupt):
        dying.push("churn", bundle, decisions=PASSED)
    assert registry.models() == []
    with pytest.raises(NotFoundError):
        registry.resolve("churn@1")

    between = registry.push("churn", other, decisions=PASSED)
    version = registry.push("churn", bundle, decisions=PASSED)
    assert {between.version, version.version} == {1, 2}
    assert version.version == (2 if writes == 0 else 1)
    registry.fetch(f"churn@{version.version}", tmp_path / "out")
    assert contents(tmp_path / "out") == contents(bundle)


def test_a_push_that_died_after_the_last_write_is_found_again(registry, tmp_path):
    bundle = make_bundle(tmp_path / "bundle")
    Registry(Dying(tmp_path / "store", 7)).push("churn", bundle, decisions=PASSED)
    assert registry.push("churn", bundle, decisions=PASSED).version == 1


def test_a_no_of_a_gate_is_not_pushed(registry, tmp_path):
    bundle = make_bundle(tmp_path / "bundle")
    with pytest.raises(GateStopped, match=r"roc_auc 0\.6 is below 0\.7"):
        registry.push("churn", bundle, decisions=PASSED + FAILED)
    with pytest.raises(InputError, match="without a gate's decisions"):
        registry.push("churn", bundle, decisions=[])
    assert registry.models() == []
    warned = [
        Decision("data", "drift", "warn", "psi 0.2 is above 0.1"),
        Decision("model", "x", "skip", "none"),
    ]
    assert registry.push("churn", bundle, decisions=warned).blessed
    assert not registry.push("churn", bundle, decisions=FAILED, allow_unblessed=True).blessed


@pytest.mark.parametrize("file", ["model.skops", "signature.json", "manifest.json"])
def test_a_bundle_that_was_changed_is_not_pushed(registry, tmp_path, file):
    bundle = make_bundle(tmp_path / "bundle")
    data = bytearray((bundle / file).read_bytes())
    data[0] ^= 1
    (bundle / file).write_bytes(data)
    with pytest.raises(BundleError, match=file):
        registry.push("churn", bundle, decisions=PASSED)
    assert registry.models() == []


@pytest.mark.parametrize(
    "file", ["model.skops", "parity.json", "signature.json", "training.json", "manifest.json"]
)
def test_a_tampered_byte_is_named_and_nothing_is_left_behind(store, registry, tmp_path, file):
    registry.push("churn", make_bundle(tmp_path / "bundle"), decisions=PASSED)
    key = f"models/churn/versions/000001/bundle/{file}"
    data = bytearray(store.read(key))
    data[-1] ^= 1
    store.write(key, bytes(data))
    with pytest.raises(BundleError) as caught:
        registry.fetch("churn@1", tmp_path / "out")
    assert f"versions/000001/bundle/{file}" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_another_whole_bundle_in_its_place_is_found_out(store, registry, tmp_path):
    registry.push("churn", make_bundle(tmp_path / "bundle"), decisions=PASSED)
    other = make_bundle(tmp_path / "other", "swapped in")
    store.upload_tree(other, "models/churn/versions/000001/bundle")
    with pytest.raises(BundleError, match="of another bundle"):
        registry.fetch("churn@1", tmp_path / "out")


def test_a_missing_and_an_extra_file_are_named(store, registry, tmp_path):
    registry.push("churn", make_bundle(tmp_path / "bundle"), decisions=PASSED)
    where = "models/churn/versions/000001/bundle"
    store.write(f"{where}/extra.py", b"import os")
    with pytest.raises(BundleError, match=r"extra\.py"):
        registry.fetch("churn@1", tmp_path / "out")
    store.delete(f"{where}/extra.py")
    store.delete(f"{where}/model.skops")
    with pytest.raises(BundleError, match=r"model\.skops"):
        registry.fetch("churn@1", tmp_path / "out")
    for entry in list(store.list(where)):
        store.delete(f"{entry.key}")
    with pytest.raises(BundleError, match="files are gone"):
        registry.fetch("churn@1", tmp_path / "out")


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"name": "churn"}'])
def test_a_damaged_record_is_said(store, registry, tmp_path, damage):
    registry.push("churn", make_bundle(tmp_path / "bundle"), decisions=PASSED)
    store.write("models/churn/versions/000001/version.json", damage)
    with pytest.raises(StorageError, match=r"version\.json"):
        registry.resolve("churn@1")
    store.write("models/churn/aliases.json", damage)
    with pytest.raises(StorageError, match=r"aliases\.json"):
        registry.aliases("churn")


@pytest.mark.parametrize("name", ["", "Churn", "../up", "a/b", "a@b", "1st", "x" * 64])
def test_names_that_are_none_are_refused(registry, tmp_path, name):
    with pytest.raises(InputError):
        registry.push(name, make_bundle(tmp_path / "bundle"), decisions=PASSED)
    with pytest.raises(InputError):
        registry.aliases(name)


def test_a_version_never_changes_under_a_second_writer(store, registry, tmp_path):
    registry.push("churn", make_bundle(tmp_path / "bundle"), decisions=PASSED)
    before = store.read("models/churn/versions/000001/version.json")
    with pytest.raises(ConflictError):
        store.write_if("models/churn/versions/000001/version.json", b"{}", None)
    registry.push("churn", tmp_path / "bundle", decisions=[*PASSED, *PASSED], snapshot="other")
    assert store.read("models/churn/versions/000001/version.json") == before
