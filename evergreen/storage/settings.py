"""What the environment says about object stores: endpoint and credentials, and nothing from anywhere else."""

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from evergreen.errors import StorageError

AWS = "https://s3.amazonaws.com"
_AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_KFP = ("KFP_S3_ACCESS_KEY_ID", "KFP_S3_SECRET_ACCESS_KEY")


@dataclass(frozen=True)
class S3Settings:
    """How to reach an S3 server. `endpoint` is a URL such as `http://127.0.0.1:8333`."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False)
    region: str

    @property
    def secure(self) -> bool:
        """Whether the endpoint speaks TLS."""
        return self.endpoint.startswith("https://")

    @property
    def host(self) -> str:
        """The endpoint's host and port."""
        return urlsplit(self.endpoint).netloc


def s3_settings(uri: str, endpoint: str | None = None) -> S3Settings:
    """Read the settings for an `s3://` URI.

    The endpoint is `endpoint`, else EVERGREEN_S3_ENDPOINT, else AWS_ENDPOINT_URL, else Amazon's own. The
    credentials are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where there is one, AWS_SESSION_TOKEN. With
    neither key, those of the object store that every KFP installation has serve: the pipelines give them to
    their tasks as KFP_S3_ACCESS_KEY_ID, KFP_S3_SECRET_ACCESS_KEY and KFP_S3_ENDPOINT.

    Raises:
        StorageError: when there are no credentials, or the endpoint is not a URL of a server.
    """
    env = os.environ
    of_kfp = all(env.get(name) for name in _KFP) and not any(env.get(name) for name in _AWS)
    names = _KFP if of_kfp else _AWS
    missing = [name for name in names if not env.get(name)]
    if missing:
        remedy = f"Set {' and '.join(missing)}; on a cluster they come from a Kubernetes Secret."
        raise StorageError(uri, "there are no credentials for it in the environment", remedy=remedy)
    fallback = env.get("KFP_S3_ENDPOINT") if of_kfp else None
    url = endpoint or env.get("EVERGREEN_S3_ENDPOINT") or env.get("AWS_ENDPOINT_URL") or fallback or AWS
    return S3Settings(
        endpoint=_checked_endpoint(url),
        access_key=env[names[0]],
        secret_key=env[names[1]],
        token=None if of_kfp else env.get("AWS_SESSION_TOKEN") or None,
        region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1",
    )


def _checked_endpoint(url: str) -> str:
    expected = "http://HOST:PORT or https://HOST:PORT and nothing after it"
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.path.strip("/") or parts.query or parts.username:
        remedy = "It comes from the project's storage.endpoint, EVERGREEN_S3_ENDPOINT or AWS_ENDPOINT_URL."
        shown = url.rpartition("@")[2]  # a password may stand before it
        raise StorageError(f"S3 endpoint {shown!r}", "not the URL of a server", expected, remedy)
    return url.rstrip("/")
