"""The local store: processes that race, disks that refuse, paths that collide."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evergreen.errors import ConflictError, NotFoundError, StorageError
from evergreen.files import sha256
from evergreen.storage import open_store


def increment(root: str, times: int) -> None:
    store, done = open_store(root), 0
    while done < times:
        data, tag = store.read_tagged("deep/counter")
        try:
            store.write_if("deep/counter", str(int(data) + 1).encode(), tag)
        except ConflictError:
            continue
        done += 1


def test_no_increment_of_another_process_is_lost(tmp_path: Path):
    open_store(str(tmp_path)).write("deep/counter", b"0")
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=increment, args=(str(tmp_path), 40)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert open_store(str(tmp_path / "deep")).read("counter") == b"160"


def test_the_tag_is_the_hash_of_the_content(tmp_path: Path):
    store = open_store(str(tmp_path))
    assert store.write("a", b"x") == sha256(tmp_path / "a")
    assert store.write_if("b", b"x", None) == sha256(tmp_path / "b")
    assert store.read_tagged("b")[1] == sha256(tmp_path / "b")


def test_a_failed_write_leaves_what_was_there_and_nothing_beside_it(tmp_path: Path):
    store = open_store(str(tmp_path))
    store.write("a", b"1")
    with pytest.raises(ConflictError):
        store.write_if("a", b"2", None)
    with pytest.raises(NotFoundError, match="missing"):
        store.upload(tmp_path / "missing", "a")
    assert (tmp_path / "a").read_bytes() == b"1"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "a"]
    assert [e.key for e in store.list()] == ["a"]


def test_a_file_where_a_folder_should_be_is_said(tmp_path: Path):
    store = open_store(str(tmp_path))
    store.write("a", b"1")
    with pytest.raises(StorageError, match="a part of the path is a file"):
        store.write("a/b", b"2")
    with pytest.raises(NotFoundError):
        store.read("a/b")
    assert not store.exists("a/b")
    store.write("c/d", b"3")
    with pytest.raises(StorageError, match="is a folder"):
        store.write("c", b"4")
    with pytest.raises(NotFoundError):
        store.read("c")
    assert not store.exists("c")


def test_a_store_that_is_not_there_yet_is_empty(tmp_path: Path):
    store = open_store(str(tmp_path / "later"))
    assert list(store.list()) == []
    assert store.folders() == ()
    assert not store.exists("a")
    store.check()
    assert not (tmp_path / "later").exists()


FULL_DISK = """
import sys
from pathlib import Path
from evergreen.errors import StorageError
from evergreen.storage import open_store
store = open_store(sys.argv[1])
store.write("small", b"kept")
for write in (lambda: store.write("big", bytes(1 << 20)), lambda: store.upload(Path(sys.argv[2]), "big")):
    try:
        write()
    except StorageError as error:
        print(error)
    else:
        sys.exit("written")
assert store.read("small") == b"kept"
assert [e.key for e in store.list()] == ["small"]
"""


def test_a_full_disk_is_said_and_nothing_half_written(tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "big").write_bytes(bytes(1 << 20))
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    script = [sys.executable, "-c", FULL_DISK, str(disk), str(tmp_path / "big")]
    # A mount in a namespace of its own goes away with the process.
    command = [
        "unshare",
        "--mount",
        "--map-root-user",
        "sh",
        "-c",
        f'{" ".join(mount)} || exit 77; exec "$@"',
        "sh",
    ]
    try:
        result = subprocess.run([*command, *script], capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("no unshare on this machine")
    if result.returncode == 77 or "unshare" in result.stderr:
        pytest.skip("this user may not mount a small disk")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 2
    assert all("no space left on the disk" in line and str(disk) in line for line in lines)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="permission denied"):
        open_store(str(tmp_path)).write("a", b"1")


def test_a_place_that_can_hold_no_file_is_said():
    with pytest.raises(StorageError, match=r"/dev/null/store: a part of the path is a file"):
        open_store("/dev/null/store").write("a", b"1")


def test_the_package_loads_nothing_heavy():
    heavy = "('minio', 'google.cloud', 'deltalake')"
    script = (
        f"import sys, evergreen.storage as s; s.open_store; print([m for m in {heavy} if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
