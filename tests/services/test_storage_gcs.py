"""GCS alone: what the server refuses and what it says."""

import socket
import time

import pytest
from test_storage_s3 import every_use, refusals

from evergreen.errors import NotFoundError, StorageError
from evergreen.storage import open_store

pytestmark = pytest.mark.service


def test_a_missing_bucket_is_not_a_missing_object(gcs, clean_environment, tmp_path):
    clean_environment.setenv("STORAGE_EMULATOR_HOST", gcs.endpoint)
    uses = every_use("gs://not-there/folder", tmp_path)
    for name, said in refusals(uses).items():
        assert "there is no such bucket" in said, name
        assert "gs://not-there/folder" in said, name


def test_nobody_listens_there(clean_environment, tmp_path):
    with socket.socket() as taken:  # bound, never listening: every connection is refused
        taken.bind(("127.0.0.1", 0))
        clean_environment.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{taken.getsockname()[1]}")
        store = open_store("gs://evergreen/x")
        for use in (lambda: store.read("a"), lambda: store.write_if("a", b"", None)):
            begun = time.monotonic()
            with pytest.raises(StorageError, match="not reachable") as caught:
                use()
            assert not isinstance(caught.value, NotFoundError)
            assert time.monotonic() - begun < 60  # the client's own patience is two minutes


def test_no_credentials_at_all(clean_environment, tmp_path):
    clean_environment.setenv("HOME", str(tmp_path))
    clean_environment.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    clean_environment.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(StorageError, match="GOOGLE_APPLICATION_CREDENTIALS"):
        open_store("gs://evergreen/x")
