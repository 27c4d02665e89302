"""A store in a bucket of MinIO, SeaweedFS, Amazon S3 or another S3 server; the tag is the ETag."""

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path

import certifi
import urllib3
from minio import Minio

from evergreen.errors import ConflictError, NotFoundError
from evergreen.files import aside
from evergreen.files import explained as explained_locally
from evergreen.storage.interface import Entry, Store
from evergreen.storage.keys import Place, checked_key, checked_prefix, is_visible, joined
from evergreen.storage.s3_errors import explained
from evergreen.storage.settings import S3Settings

_TIMEOUT = urllib3.Timeout(connect=3, read=60)
_RETRIES = urllib3.Retry(
    total=3,
    connect=1,
    read=1,
    status_forcelist=(500, 502, 503, 504),
    backoff_factor=0.2,
    raise_on_status=False,
    redirect=False,
)
# A conditional write is sent again only if the server surely did not act on it: were it sent again after a
# lost answer, our own first write would look like someone else's.
_CAREFUL_RETRIES = urllib3.Retry(
    total=3,
    connect=1,
    read=0,
    other=0,
    status_forcelist=(503,),
    backoff_factor=0.2,
    raise_on_status=False,
    redirect=False,
)


@dataclass(frozen=True)
class Connection:
    """Clients of one server; `careful_client` sends a request again only when it surely had no effect."""

    endpoint: str
    client: Minio
    careful_client: Minio


def connect(settings: S3Settings) -> Connection:
    """Clients that give up on a silent server after seconds; nothing is sent yet."""
    return Connection(settings.endpoint, _client(settings, _RETRIES), _client(settings, _CAREFUL_RETRIES))


def _client(settings: S3Settings, retries: urllib3.Retry) -> Minio:
    return Minio(
        settings.host,
        access_key=settings.access_key,
        secret_key=settings.secret_key,
        session_token=settings.token,
        secure=settings.secure,
        region=settings.region,
        http_client=urllib3.PoolManager(
            maxsize=16,
            timeout=_TIMEOUT,
            retries=retries,
            cert_reqs="CERT_REQUIRED",
            ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
        ),
    )


class S3Store(Store):
    """Objects of a bucket, below a prefix."""

    def __init__(self, connection: Connection, place: Place) -> None:
        self._connection, self._place = connection, place
        self._client, self._bucket = connection.client, place.bucket

    @property
    def uri(self) -> str:
        """`s3://bucket/prefix`."""
        return str(self._place)

    def _name(self, key: str) -> str:
        return joined(self._place.path, checked_key(key))

    def _explained(self, key: str = "") -> AbstractContextManager[None]:
        return explained(joined(self.uri, key), self._connection.endpoint)

    def read_tagged(self, key: str) -> tuple[bytes, str]:
        """The object's bytes and its ETag."""
        with self._explained(key), closing(self._client.get_object(self._bucket, self._name(key))) as answer:
            data = answer.read()
            answer.release_conn()
            return data, _unquoted(answer.headers["ETag"])

    def write(self, key: str, data: bytes) -> str:
        """Write an object; returns its ETag."""
        with self._explained(key):
            result = self._client.put_object(self._bucket, self._name(key), io.BytesIO(data), len(data))
            return _unquoted(result.etag or "")

    def write_if(self, key: str, data: bytes, tag: str | None) -> str:
        """Write an object by a request with If-Match, or If-None-Match when `tag` is None.

        The client's `put_object` takes no such header; what it calls to send and sign the request does.
        """
        condition = {"If-None-Match": "*"} if tag is None else {"If-Match": f'"{tag}"'}
        client = self._connection.careful_client
        try:
            with self._explained(key):
                return _unquoted(
                    client._put_object(self._bucket, self._name(key), data, condition).etag or ""
                )
        except NotFoundError as error:  # the answer of Amazon S3 to If-Match when the object is gone
            raise ConflictError(f"{joined(self.uri, key)}: someone else deleted it first") from error

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Every object in the folder and below; a thousand a request."""
        start = joined(self._place.path, checked_prefix(prefix))
        cut = len(self._place.path) + 1 if self._place.path else 0
        with self._explained(prefix):
            for found in self._client.list_objects(
                self._bucket, f"{start}/" if start else None, recursive=True
            ):
                key = (found.object_name or "")[cut:]
                if is_visible(key):
                    yield Entry(key, found.size or 0, _unquoted(found.etag or ""))

    def folders(self, prefix: str = "") -> tuple[str, ...]:
        """The common prefixes directly in the folder."""
        start = joined(self._place.path, checked_prefix(prefix))
        with self._explained(prefix):
            found = self._client.list_objects(self._bucket, f"{start}/" if start else None)
            names = {(o.object_name or "").rstrip("/").rpartition("/")[2] for o in found if o.is_dir}
        return tuple(sorted(name for name in names if is_visible(name)))

    def exists(self, key: str) -> bool:
        """Whether there is such an object; a missing bucket is an error, not a no."""
        try:
            with self._explained(key):
                self._client.stat_object(self._bucket, self._name(key))
        except NotFoundError:
            self.check()  # an answer to HEAD has no body that could tell a missing bucket from a missing key
            return False
        return True

    def delete(self, key: str) -> None:
        """Remove an object."""
        with self._explained(key):
            self._client.remove_object(self._bucket, self._name(key))

    def upload(self, path: Path, key: str) -> None:
        """Send a file, in parts of 5 MiB and more when it is large."""
        with self._explained(key), explained_locally(path):
            try:
                self._client.fput_object(self._bucket, self._name(key), str(path))
            except FileNotFoundError as error:
                raise NotFoundError(str(path), "no such file") from error

    def download(self, key: str, path: Path) -> None:
        """Fetch an object in blocks."""
        with self._explained(key), closing(self._client.get_object(self._bucket, self._name(key))) as answer:
            with aside(path) as temporary, temporary.open("wb") as handle:
                shutil.copyfileobj(answer, handle, 1 << 20)
            answer.release_conn()

    def child(self, prefix: str) -> "S3Store":
        """The store of a prefix below, over the same connections."""
        path = joined(self._place.path, checked_prefix(prefix))
        return S3Store(self._connection, Place("s3", self._bucket, path))


def _unquoted(etag: str) -> str:
    return etag.strip('"')
