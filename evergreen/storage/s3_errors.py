"""What an S3 server's refusals mean, in words that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

import urllib3.exceptions as http
from minio.error import InvalidResponseError, S3Error, ServerError

from evergreen.errors import ConflictError, EvergreenError, Fault, NotFoundError, StorageError

CONFLICTS = {"PreconditionFailed", "ConditionalRequestConflict", "OperationAborted"}

_KEYS = "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that they belong to this endpoint."
_ROOM = "Free some space there, raise the quota, or name another store."
_REGION = "Set AWS_REGION to the region of the bucket."
_REFUSALS = {
    "NoSuchBucket": ("there is no such bucket", "Create the bucket, or name another store."),
    "InvalidAccessKeyId": ("the server does not know the access key", _KEYS),
    "SignatureDoesNotMatch": ("the secret key is wrong", _KEYS),
    "InvalidToken": ("the session token is wrong", "Check AWS_SESSION_TOKEN."),
    "InvalidTokenId": ("the session token is wrong", "Check AWS_SESSION_TOKEN."),
    "ExpiredToken": ("the session token has expired", "Get new credentials."),
    "AccessDenied": ("access denied", f"{_KEYS} They need the right to list, read and write this bucket."),
    "AllAccessDisabled": ("access denied", _KEYS),
    "RequestTimeTooSkewed": ("this machine's clock differs too much from the server's", "Set the clock."),
    "AuthorizationHeaderMalformed": ("the bucket is in another region", _REGION),
    "PermanentRedirect": ("the bucket is in another region", _REGION),
    "XMinioStorageFull": ("no space left on the server", _ROOM),
    "XMinioAdminBucketQuotaExceeded": ("the bucket's quota is used up", _ROOM),
    "QuotaExceeded": ("the bucket's quota is used up", _ROOM),
    "InvalidBucketName": ("the server does not take this bucket's name", "Name another bucket."),
    "NotImplemented": (
        "the server does not know conditional writes (If-Match, If-None-Match)",
        "Use a server that does, such as SeaweedFS, MinIO or Amazon S3.",
    ),
}


@contextmanager
def explained(uri: str, endpoint: str) -> Iterator[None]:
    """Turn what the client raises into errors of ours that name the URI, the endpoint and the remedy."""
    try:
        yield
    except S3Error as error:
        raise _refusal(error, uri, endpoint) from error
    except (InvalidResponseError, ServerError) as error:
        raise _stranger(error, uri, endpoint) from error
    except http.HTTPError as error:
        raise unreachable(error, uri, endpoint) from error


def _refusal(error: S3Error, uri: str, endpoint: str) -> EvergreenError:
    code = error.code or ""
    if code in ("NoSuchKey", "NoSuchVersion"):
        return NotFoundError(uri, f"nothing is stored there (at {endpoint})")
    if code in CONFLICTS:
        return ConflictError(f"{uri}: someone else wrote it first")
    if code in _REFUSALS:
        found, remedy = _REFUSALS[code]
        return StorageError(f"{uri} at {endpoint}", found, remedy=remedy)
    status = getattr(error.response, "status", 0)
    text = f"{uri} at {endpoint}: the server answered {status} {code}: {error.message}"
    return (
        Fault(text)
        if status >= 500
        else StorageError(f"{uri} at {endpoint}", f"refused: {status} {code}: {error.message}")
    )


def _stranger(error: InvalidResponseError | ServerError, uri: str, endpoint: str) -> EvergreenError:
    if isinstance(error, ServerError):
        return Fault(f"{uri} at {endpoint}: the server failed with HTTP status {error.status_code}")
    return StorageError(
        f"{uri} at {endpoint}",
        "what answers there does not speak S3",
        remedy="Check the endpoint's host and port: a web console often has a port of its own.",
    )


def unreachable(error: http.HTTPError, uri: str, endpoint: str) -> StorageError:
    """The error for a server that cannot be reached, or that broke off."""
    cause = getattr(error, "reason", None) or error
    remedy = "Check that the server runs, and EVERGREEN_S3_ENDPOINT or AWS_ENDPOINT_URL."
    if isinstance(cause, http.SSLError):
        found = "its TLS certificate is not trusted, or it does not speak TLS"
        remedy = (
            "Set SSL_CERT_FILE to the authority's certificate, or write http:// for a server without TLS."
        )
    elif isinstance(cause, http.NameResolutionError):
        found = "there is no host of that name"
    elif isinstance(cause, http.NewConnectionError):
        found = "not reachable (connection refused)"
    elif isinstance(cause, http.ConnectTimeoutError):
        found = "no answer within the time limit"
    else:
        found = f"the connection broke ({type(cause).__name__})"
    return StorageError(f"{uri} at {endpoint}", found, remedy=remedy)
