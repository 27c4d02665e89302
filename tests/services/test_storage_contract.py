"""What every store must do alike: local files, SeaweedFS, MinIO, GCS."""

import hashlib
import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evergreen.errors import ConflictError, NotFoundError, StorageError
from evergreen.storage import Store, open_store

ODD_KEYS = [
    "a b/c d.txt",
    "ä/日本.bin",
    "q?x=1&y=2",
    "100%/50%25.txt",
    "plus+and~tilde",
    "it's",
    "#hash",
    "a/-b",
]


def test_what_is_written_is_read_and_its_tag_changes_with_it(store: Store):
    first = store.write("models/a.json", b"one")
    assert store.read("models/a.json") == b"one"
    assert store.read_tagged("models/a.json") == (b"one", first)
    second = store.write("models/a.json", b"two")
    assert second != first
    assert store.read_tagged("models/a.json") == (b"two", second)


def test_an_empty_object_is_an_object(store: Store):
    store.write("empty", b"")
    assert store.exists("empty")
    assert store.read("empty") == b""
    assert [(e.key, e.size) for e in store.list()] == [("empty", 0)]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_keys_of_any_characters_come_back_as_they_were(store: Store, key: str):
    store.write_if(key, key.encode(), None)
    assert store.read(key) == key.encode()
    assert [e.key for e in store.list()] == [key]


def test_nothing_there_is_said_with_the_uri(store: Store, tmp_path: Path):
    for ask in (store.read, store.read_tagged, lambda k: store.download(k, tmp_path / "x")):
        with pytest.raises(NotFoundError, match="gone/away") as caught:
            ask("gone/away")
        assert store.uri in str(caught.value)
    assert not store.exists("gone/away")
    assert list(store.list("gone")) == []
    assert store.folders("gone") == ()
    assert not (tmp_path / "x").exists()
    with pytest.raises(NotFoundError):
        store.download_tree("gone", tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


def test_delete_removes_and_may_be_repeated(store: Store):
    store.write("a/b", b"1")
    store.delete("a/b")
    store.delete("a/b")
    assert not store.exists("a/b")
    assert list(store.list()) == []


def test_a_listing_keeps_to_its_folder(store: Store):
    for key in ("a/1", "a/2/x", "a/2/y", "ab/1", "b"):
        store.write(key, key.encode())
    assert sorted(e.key for e in store.list()) == ["a/1", "a/2/x", "a/2/y", "ab/1", "b"]
    assert sorted(e.key for e in store.list("a")) == ["a/1", "a/2/x", "a/2/y"]
    assert sorted(e.key for e in store.list("a/")) == ["a/1", "a/2/x", "a/2/y"]
    assert {e.key: e.size for e in store.list("a/2")} == {"a/2/x": 5, "a/2/y": 5}
    assert store.folders() == ("a", "ab")
    assert store.folders("a") == ("2",)


def test_a_child_sees_only_what_is_below_it(store: Store):
    store.write("a/b/c", b"1")
    child = store.child("a").child("b")
    assert child.uri == f"{store.uri}/a/b"
    assert [e.key for e in child.list()] == ["c"]
    child.write("d/e", b"2")
    assert store.read("a/b/d/e") == b"2"
    assert child.folders() == ("d",)
    assert open_store(child.uri).read("c") == b"1"


def test_a_listing_longer_than_a_page_is_complete(store: Store):
    keys = [f"many/{i:05d}" for i in range(1205)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.write(key, b"x"), keys))
    assert sorted(e.key for e in store.list("many")) == keys


@pytest.mark.parametrize("key", ["", "/a", "a//b", "a/", "../a", "a/../b", ".", "a/.hidden", "a\nb", "a\0b"])
def test_keys_that_lead_elsewhere_are_refused(store: Store, key: str, tmp_path: Path):
    for use in (
        store.read,
        store.exists,
        store.delete,
        lambda k: store.write(k, b""),
        lambda k: store.write_if(k, b"", None),
        lambda k: store.upload(Path(__file__), k),
        lambda k: store.download(k, tmp_path / "x"),
    ):
        with pytest.raises(StorageError, match="not a key"):
            use(key)


def test_write_if_none_makes_an_object_once(store: Store):
    tag = store.write_if("claim", b"first", None)
    with pytest.raises(ConflictError, match="claim"):
        store.write_if("claim", b"second", None)
    assert store.read_tagged("claim") == (b"first", tag)


def test_write_if_needs_the_tag_that_is_there(store: Store):
    old = store.write("a", b"1")
    new = store.write_if("a", b"2", old)
    with pytest.raises(ConflictError):
        store.write_if("a", b"3", old)
    assert store.read_tagged("a") == (b"2", new)
    store.delete("a")
    with pytest.raises(ConflictError):
        store.write_if("a", b"4", new)
    assert not store.exists("a")
    store.write_if("a", b"5", None)
    assert store.read("a") == b"5"


def test_of_many_who_claim_one_key_one_gets_it(store: Store):
    def claim(who: int) -> bool:
        try:
            store.write_if("claim", str(who).encode(), None)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(claim, range(8)))
    assert won.count(True) == 1
    assert store.read("claim") == str(won.index(True)).encode()


def test_no_increment_of_a_counter_is_lost(store: Store):
    threads, times = 8, 5
    store.write("counter", b"0")

    def increment(_: int) -> None:
        done = 0
        while done < times:
            data, tag = store.read_tagged("counter")
            try:
                store.write_if("counter", str(int(data) + 1).encode(), tag)
            except ConflictError:
                continue
            done += 1

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(increment, range(threads)))
    assert int(store.read("counter")) == threads * times


def test_a_plain_write_also_breaks_a_pending_compare_and_swap(store: Store):
    tag = store.write("a", b"1")
    store.write("a", b"2")
    with pytest.raises(ConflictError):
        store.write_if("a", b"3", tag)


def test_a_large_file_goes_up_and_down_in_bounded_memory(store: Store, tmp_path: Path):
    block = random.Random(7).randbytes(1 << 20)
    source = tmp_path / "large"
    with source.open("wb") as handle:
        for i in range(64):
            handle.write(block[i:] + block[:i])
    tracemalloc.start()
    store.upload(source, "large.bin")
    store.download("large.bin", tmp_path / "back")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    digests = [hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("large", "back")]
    assert digests[0] == digests[1]
    assert peak < 48 << 20
    _, tag = store.read_tagged("large.bin")
    store.write_if("large.bin", b"small now", tag)
    assert store.read("large.bin") == b"small now"


def test_a_tree_goes_up_and_comes_back_the_same(store: Store, tmp_path: Path):
    files = {"b.txt": b"b", "a/z.txt": b"z", "a/b/c.bin": bytes(range(256)), "a-b": b"", "ü/ y": b"odd"}
    for name, data in files.items():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(data)
    (tmp_path / "tree" / ".hidden").write_text("stays")
    assert store.upload_tree(tmp_path / "tree", "t") == tuple(f"t/{name}" for name in sorted(files))

    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "old").write_text("is replaced")
    paths = store.download_tree("t", tmp_path / "back")
    assert [p.relative_to(tmp_path / "back").as_posix() for p in paths] == sorted(files)
    found = {
        p.relative_to(tmp_path / "back").as_posix() for p in (tmp_path / "back").rglob("*") if p.is_file()
    }
    assert found == set(files)
    assert all((tmp_path / "back" / name).read_bytes() == data for name, data in files.items())


def test_check_passes_on_an_empty_store(store: Store):
    store.check()
