"""What `deltalake` must be told to read and write a table in the same place as a store."""

import json
import os

from evergreen.storage.keys import parse_uri
from evergreen.storage.settings import s3_settings


def delta_options(uri: str, endpoint: str | None = None) -> dict[str, str]:
    """The `storage_options` for a Delta table; empty for a local one.

    On S3, commits are If-None-Match requests (`conditional_put=etag`), so that concurrent writers need no
    lock table; a silent server is given up after seconds.

    Args:
        uri: The table's URI.
        endpoint: URL of the S3 server; otherwise the environment says, as for `open_store`.

    Raises:
        StorageError: for a URI that cannot be, or missing credentials.
    """
    place = parse_uri(uri)
    if place.scheme == "s3":
        settings = s3_settings(str(place), endpoint)
        options = {
            "aws_endpoint_url": settings.endpoint,
            "aws_access_key_id": settings.access_key,
            "aws_secret_access_key": settings.secret_key,
            "aws_region": settings.region,
            "aws_allow_http": str(not settings.secure).lower(),
            "conditional_put": "etag",
            **_patience(),
        }
        return {**options, "aws_session_token": settings.token} if settings.token else options
    if place.scheme == "gs":
        emulator = os.environ.get("STORAGE_EMULATOR_HOST")
        if not emulator:
            return _patience()
        nobody = {"client_email": "", "private_key": "", "private_key_id": ""}
        account = {"gcs_base_url": emulator, "disable_oauth": True, **nobody}
        return {"google_service_account_key": json.dumps(account), **_patience()}
    return {}


def _patience() -> dict[str, str]:
    return {"connect_timeout": "3s", "timeout": "60s", "max_retries": "3", "retry_timeout": "10s"}
