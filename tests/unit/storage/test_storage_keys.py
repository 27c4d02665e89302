"""Keys and URIs."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.errors import StorageError
from evergreen.storage.keys import checked_key, checked_prefix, is_visible, parse_uri


@pytest.mark.parametrize(
    ("uri", "scheme", "bucket", "path", "shown"),
    [
        ("s3://bucket", "s3", "bucket", "", "s3://bucket"),
        ("s3://bucket/", "s3", "bucket", "", "s3://bucket"),
        ("S3://my.bucket-1/a/b/", "s3", "my.bucket-1", "a/b", "s3://my.bucket-1/a/b"),
        ("gs://bucket/a", "gs", "bucket", "a", "gs://bucket/a"),
        ("file:///data/x", "file", "", "/data/x", "/data/x"),
        ("/data/x/", "file", "", "/data/x", "/data/x"),
    ],
)
def test_uris_in_parts(uri: str, scheme: str, bucket: str, path: str, shown: str):
    place = parse_uri(uri)
    assert (place.scheme, place.bucket, place.path, str(place)) == (scheme, bucket, path, shown)


def test_a_relative_path_is_taken_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert parse_uri("./store").path == str(tmp_path / "store")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("minio://mlpipeline/x", r"unknown scheme minio://.*Did you mean s3://\?"),
        ("s3a://bucket/x", r"Did you mean s3://\?"),
        ("gcs://bucket/x", r"Did you mean gs://\?"),
        ("ftp://host/x", r"unknown scheme ftp://; expected s3://, gs:// or a local path"),
        ("s3://", r"'' cannot name a bucket"),
        ("s3://ab/x", r"'ab' cannot name a bucket; expected at least 3"),
        ("s3://Upper/x", r"'Upper' cannot name a bucket"),
        ("s3://bucket/a/../b", r"`\.\.` in the path"),
        ("s3://bucket/a//b", r"an empty part"),
        ("", r"no path"),
    ],
)
def test_uris_that_cannot_be_say_what_to_write(uri: str, said: str):
    with pytest.raises(StorageError, match=said):
        parse_uri(uri)


@given(st.text(max_size=30))
def test_a_key_that_passes_stays_below_its_store(key: str):
    try:
        checked_key(key)
    except StorageError:
        return
    assert os.path.normpath(f"/store/{key}") == f"/store/{key}"
    assert is_visible(key)


def test_a_prefix_may_end_in_a_slash():
    assert checked_prefix("") == ""
    assert checked_prefix("a/b/") == "a/b"
    with pytest.raises(StorageError):
        checked_prefix("../a")
