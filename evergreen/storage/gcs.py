"""A store in a bucket of Google Cloud Storage; the tag is the object's generation."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests  # type: ignore[import-untyped]
from google.api_core import exceptions as api
from google.api_core.retry import Retry, if_exception_type
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud.storage import Blob, Client
from google.cloud.storage.retry import DEFAULT_RETRY

from evergreen.errors import ConflictError, Fault, NotFoundError, StorageError
from evergreen.files import aside
from evergreen.files import explained as explained_locally
from evergreen.storage.interface import Entry, Store
from evergreen.storage.keys import Place, checked_key, checked_prefix, is_visible, joined

_TIMEOUT = (3, 60)
_BLOCK = 16 << 20  # bytes of a large upload that are in memory at once; the client's own default is 100 MiB
_RETRY = DEFAULT_RETRY.with_timeout(10)
# A conditional write is sent again only when it was surely not acted on (too many writes a second): were it
# sent again after a lost answer, our own first write would look like someone else's.
_RETRY_IF = Retry(if_exception_type(api.TooManyRequests), timeout=15)
_RIGHTS = (
    "Check GOOGLE_APPLICATION_CREDENTIALS; the account needs the right to list, read and write the bucket."
)


def _limits() -> dict[str, Any]:
    """Connect and read timeouts in seconds, and how long to try again."""
    return {"timeout": _TIMEOUT, "retry": _RETRY}


def connect(uri: str) -> Client:
    """A client with the credentials of the environment, or none when STORAGE_EMULATOR_HOST is set.

    Raises:
        StorageError: when there are no credentials, or their file cannot be used.
    """
    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return Client(project="emulator", credentials=AnonymousCredentials())
    try:
        return Client(project=os.environ.get("GOOGLE_CLOUD_PROJECT") or "none")
    except DefaultCredentialsError as error:
        found = "there are no usable credentials for it in the environment"
        remedy = "Set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account's key."
        raise StorageError(uri, found, remedy=remedy) from error


class GcsStore(Store):
    """Objects of a bucket, below a prefix."""

    def __init__(self, client: Client, place: Place) -> None:
        self._client, self._place = client, place
        self._bucket = client.bucket(place.bucket)

    @property
    def uri(self) -> str:
        """`gs://bucket/prefix`."""
        return str(self._place)

    def _blob(self, key: str) -> Blob:
        return self._bucket.blob(joined(self._place.path, checked_key(key)))

    @contextmanager
    def _explained(self, key: str = "") -> Iterator[None]:
        uri = joined(self.uri, key)
        try:
            yield
        except api.NotFound as error:
            self._require_bucket()
            raise NotFoundError(uri, "nothing is stored there") from error
        except (api.Forbidden, api.Unauthorized, GoogleAuthError) as error:
            raise StorageError(uri, "access denied", remedy=_RIGHTS) from error
        except (api.RetryError, requests.ConnectionError, requests.Timeout) as error:
            if isinstance(error, api.RetryError) and isinstance(error.cause, api.ServerError):
                raise Fault(f"{uri}: the server keeps failing: {error.cause.message}") from error
            remedy = "Check the network, and STORAGE_EMULATOR_HOST where it is set."
            raise StorageError(uri, "the server is not reachable", remedy=remedy) from error
        except api.ServerError as error:
            raise Fault(f"{uri}: the server failed: {error.message}") from error
        except api.ClientError as error:
            raise StorageError(uri, f"refused: {error.code} {error.message}") from error

    def _require_bucket(self) -> None:
        """Tell a missing bucket from a missing object: both are the same 404."""
        try:
            next(
                iter(self._client.list_blobs(self._bucket, max_results=1, timeout=_TIMEOUT, retry=_RETRY)),
                None,
            )
        except api.NotFound as error:
            remedy = "Create the bucket, or name another store."
            raise StorageError(self.uri, "there is no such bucket", remedy=remedy) from error

    def read_tagged(self, key: str) -> tuple[bytes, str]:
        """The object's bytes and its generation."""
        blob = self._blob(key)
        with self._explained(key):
            data = blob.download_as_bytes(**_limits())
        if blob.generation is None:  # it stands in a header of the same answer, so it fits the bytes
            raise Fault(f"{joined(self.uri, key)}: the server did not say which generation it sent")
        return data, str(blob.generation)

    def write(self, key: str, data: bytes) -> str:
        """Write an object; returns its generation."""
        blob = self._blob(key)
        with self._explained(key):
            blob.upload_from_string(data, "application/octet-stream", **_limits())
            return str(blob.generation)

    def write_if(self, key: str, data: bytes, tag: str | None) -> str:
        """Write an object if its generation is still `tag`; generation 0 means that there is none."""
        blob = self._blob(key)
        with self._explained(key):
            try:
                blob.upload_from_string(
                    data,
                    "application/octet-stream",
                    if_generation_match=int(tag or 0),
                    timeout=_TIMEOUT,
                    retry=_RETRY_IF,
                )
            except (api.PreconditionFailed, api.Conflict) as error:
                raise ConflictError(f"{joined(self.uri, key)}: someone else wrote it first") from error
            return str(blob.generation)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Every object in the folder and below; a thousand a request."""
        start = joined(self._place.path, checked_prefix(prefix))
        cut = len(self._place.path) + 1 if self._place.path else 0
        with self._explained(prefix):
            for blob in self._client.list_blobs(
                self._bucket, prefix=f"{start}/" if start else None, **_limits()
            ):
                key = blob.name[cut:]
                if is_visible(key):
                    yield Entry(key, blob.size or 0, str(blob.generation))

    def folders(self, prefix: str = "") -> tuple[str, ...]:
        """The common prefixes directly in the folder."""
        start = joined(self._place.path, checked_prefix(prefix))
        with self._explained(prefix):
            found = self._client.list_blobs(
                self._bucket, prefix=f"{start}/" if start else None, delimiter="/", **_limits()
            )
            for _ in found:  # the prefixes are complete after the last page
                pass
            names = [name.rstrip("/").rpartition("/")[2] for name in found.prefixes]
        return tuple(sorted(name for name in names if is_visible(name)))

    def exists(self, key: str) -> bool:
        """Whether there is such an object; a missing bucket is an error, not a no."""
        with self._explained(key):
            if self._blob(key).exists(**_limits()):
                return True
            self._require_bucket()
            return False

    def delete(self, key: str) -> None:
        """Remove an object."""
        try:
            with self._explained(key):
                self._blob(key).delete(**_limits())
        except NotFoundError:
            return

    def upload(self, path: Path, key: str) -> None:
        """Send a file, in blocks when it is large."""
        with self._explained(key), explained_locally(path):
            blob = self._blob(key)
            blob.chunk_size = _BLOCK
            try:
                blob.upload_from_filename(str(path), "application/octet-stream", **_limits())
            except FileNotFoundError as error:
                raise NotFoundError(str(path), "no such file") from error

    def download(self, key: str, path: Path) -> None:
        """Fetch an object in blocks; its checksum is verified by the client."""
        blob = self._blob(key)
        with self._explained(key), aside(path) as temporary, temporary.open("wb") as handle:
            blob.download_to_file(handle, **_limits())

    def child(self, prefix: str) -> "GcsStore":
        """The store of a prefix below, over the same client."""
        path = joined(self._place.path, checked_prefix(prefix))
        return GcsStore(self._client, Place("gs", self._place.bucket, path))
