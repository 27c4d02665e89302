"""S3 alone: what the server refuses and what it says, Delta tables by many writers at once."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from urllib3.util import connection as urllib3_connection

from evergreen.errors import Fault, NotFoundError, StorageError
from evergreen.storage import delta_options, open_store

pytestmark = pytest.mark.service


def every_use(uri: str, tmp_path: Path, endpoint: str | None = None) -> dict:
    """One call of every operation; the store opens without a word to the server."""
    store = open_store(uri, endpoint=endpoint)
    return {
        "check": store.check,
        "read": lambda: store.read("a"),
        "write": lambda: store.write("a", b"1"),
        "write_if": lambda: store.write_if("a", b"1", None),
        "write_if tag": lambda: store.write_if("a", b"1", "0" * 32),
        "exists": lambda: store.exists("a"),
        "delete": lambda: store.delete("a"),
        "list": lambda: list(store.list()),
        "folders": store.folders,
        "upload": lambda: store.upload(Path(__file__), "a"),
        "download": lambda: store.download("a", tmp_path / "a"),
    }


def refusals(uses: dict) -> dict[str, str]:
    said = {}
    for name, use in uses.items():
        with pytest.raises(StorageError) as caught:
            use()
        assert not isinstance(caught.value, NotFoundError), name
        assert caught.value.remedy, name
        said[name] = str(caught.value)
    return said


@pytest.mark.parametrize(
    ("variable", "value"), [("AWS_ACCESS_KEY_ID", "stranger"), ("AWS_SECRET_ACCESS_KEY", "guessed-wrong")]
)
def test_wrong_credentials_are_named_and_never_shown(
    s3, s3_root, clean_environment, tmp_path, variable, value
):
    clean_environment.setenv(variable, value)
    for said in refusals(every_use(s3_root, tmp_path)).values():
        assert s3_root in said
        assert s3.endpoint in said
        assert "AWS_SECRET_ACCESS_KEY" in said
        assert "evergreen-secret" not in said
        assert "guessed-wrong" not in said


def test_no_credentials_at_all(s3_root, clean_environment):
    clean_environment.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StorageError, match="Set AWS_SECRET_ACCESS_KEY; on a cluster"):
        open_store(s3_root)
    with pytest.raises(StorageError, match="no credentials"):
        delta_options(s3_root)


def test_a_missing_bucket_is_not_a_missing_object(s3_root, tmp_path):
    uses = every_use("s3://not-there/folder", tmp_path)
    del uses["write_if tag"]  # SeaweedFS looks at the condition before the bucket
    for name, said in refusals(uses).items():
        assert "there is no such bucket" in said, name
        assert "s3://not-there/folder" in said, name


@pytest.fixture
def tries(monkeypatch) -> list[float]:
    """The time limit of every connection that is tried."""
    seen, connect = [], urllib3_connection.create_connection

    def create_connection(address, timeout, *more, **named):
        seen.append(timeout)
        return connect(address, timeout, *more, **named)

    monkeypatch.setattr(urllib3_connection, "create_connection", create_connection)
    return seen


def test_nobody_listens_there(s3_root, tmp_path, caplog, tries):
    with socket.socket() as taken:  # bound, never listening: every connection is refused
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        uses = every_use(s3_root, tmp_path, endpoint)
        for said in refusals(uses).values():
            assert "not reachable" in said
            assert endpoint in said
        assert "Signature" not in caplog.text
        assert tries == [3] * 2 * len(uses)


def test_a_server_that_stays_silent_is_given_up_in_seconds(s3_root, tries):
    with ExitStack() as stack:
        silent = stack.enter_context(socket.socket())
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for _ in range(2):  # these fill its queue, so the next connection is never answered
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(silent.getsockname())
        store = open_store(s3_root, endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(StorageError, match="no answer within the time limit"):
            store.read("a")
        assert tries == [3, 3]


def test_a_host_that_does_not_exist(s3_root):
    with pytest.raises(StorageError, match="no host of that name"):
        open_store(s3_root, endpoint="http://store.invalid:9000").read("a")


def test_tls_to_a_server_without_it(s3, s3_root):
    store = open_store(s3_root, endpoint=s3.endpoint.replace("http://", "https://"))
    with pytest.raises(StorageError, match=r"TLS.*write http://"):
        store.check()


def test_a_web_page_is_not_an_object_store(s3, s3_root, clean_environment, gcs):
    with pytest.raises((StorageError, Fault), match="does not speak S3"):
        open_store(s3_root, endpoint=gcs.endpoint).read("a")


def test_hidden_and_hostile_keys_of_others_stay_out(s3, s3_root, tmp_path):
    bucket, _, prefix = s3_root.removeprefix("s3://").partition("/")
    client = s3.client()
    for key in ("t/good", "t/.hidden", "t/.git/config"):
        client.fput_object(bucket, f"{prefix}/{key}", __file__)
    store = open_store(s3_root)
    assert [e.key for e in store.list()] == ["t/good"]
    assert [p.name for p in store.download_tree("t", tmp_path / "t")] == ["good"]
    assert [p.name for p in (tmp_path / "t").iterdir()] == ["good"]


def test_a_broken_download_leaves_no_file(s3_root, tmp_path):
    with pytest.raises(StorageError):
        open_store(s3_root).download("nothing", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_delta_commits_of_many_writers_at_once_are_all_there(s3_root):
    uri, options = f"{s3_root}/table", delta_options(f"{s3_root}/table")
    write_deltalake(uri, pa.table({"n": pa.array([], pa.int64())}), storage_options=options)

    def append(n: int) -> None:
        write_deltalake(uri, pa.table({"n": [n]}), mode="append", storage_options=options)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(16)))
    table = DeltaTable(uri, storage_options=options)
    assert table.version() == 16
    assert sorted(table.to_pyarrow_table()["n"].to_pylist()) == list(range(16))
    assert DeltaTable(uri, version=4, storage_options=options).to_pyarrow_table().num_rows == 4


def test_delta_gives_a_dead_endpoint_up_in_seconds(s3_root):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        options = delta_options(s3_root, endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}")
        begun = time.monotonic()
        with pytest.raises(Exception, match=r"(?i)error"):
            DeltaTable(f"{s3_root}/table", storage_options=options)
        assert time.monotonic() - begun < 15
