"""Files are written whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from evergreen.errors import StorageError
from evergreen.files import aside, explained, sha256, write_bytes, write_text


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), aside(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert leftovers(tmp_path) == ["a.txt"]


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "table"
    for content in ("one", "two"):
        with aside(path) as temporary:
            temporary.mkdir()
            (temporary / f"{content}.txt").write_text(content)
    assert leftovers(path) == ["two.txt"]
    assert leftovers(tmp_path) == ["table"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_disk_that_refuses_is_explained(tmp_path, code):
    with pytest.raises(StorageError) as caught, explained(tmp_path / "x"):
        raise OSError(code, os.strerror(code), str(tmp_path / "x"))
    assert str(tmp_path / "x") in str(caught.value)
    assert caught.value.exit_code == 2
    assert caught.value.remedy


def test_other_os_errors_pass_through(tmp_path):
    with pytest.raises(OSError, match="weird"), explained(tmp_path):
        raise OSError(errno.EIO, "weird")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_for_real():
    with (
        pytest.raises(StorageError, match="no space left"),
        explained("/dev/full"),
        open("/dev/full", "wb", buffering=0) as handle,
    ):
        handle.write(b"x")


def test_digest_is_of_the_bytes(tmp_path):
    write_bytes(tmp_path / "x", b"abc")
    assert sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
