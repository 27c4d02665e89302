"""Opening a store by its URI, and which store a project uses when nobody says."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.errors import StorageError
from evergreen.storage.interface import Store
from evergreen.storage.keys import parse_uri

if TYPE_CHECKING:
    from evergreen.project.model import Project


def open_store(uri: str, *, endpoint: str | None = None) -> Store:
    """Open the store at a URI; the server is asked nothing until the first read or write.

    Args:
        uri: `s3://bucket/folder`, `gs://bucket/folder`, `file:///folder` or a local path.
        endpoint: URL of the S3 server; otherwise the environment says (`evergreen.storage.settings`).

    Raises:
        StorageError: for an unknown scheme, a bucket that cannot be, or missing credentials.
    """
    place = parse_uri(uri)
    if place.scheme == "s3":
        from evergreen.storage import s3
        from evergreen.storage.settings import s3_settings

        return s3.S3Store(s3.connect(s3_settings(str(place), endpoint)), place)
    if place.scheme == "gs":
        from evergreen.storage import gcs

        return gcs.GcsStore(gcs.connect(str(place)), place)
    from evergreen.storage.local import LocalStore

    return LocalStore(Path(place.path))


def default_store(project: "Project | None" = None, override: str = "") -> str:
    """The root URI of registry, snapshots and predictions.

    `override` wins over EVERGREEN_STORE, that over the project's `storage.root`; with none of them it is the
    folder `.evergreen/store` below the working folder, except in a pod, whose disk dies with it.

    Raises:
        StorageError: in a pod when nothing names a store, or for a URI that cannot be one.
    """
    named = override or os.environ.get("EVERGREEN_STORE") or (project.storage.root if project else None)
    if not named and os.environ.get("KUBERNETES_SERVICE_HOST"):
        remedy = (
            "Give the pipeline's parameter `store`, set EVERGREEN_STORE, or name storage.root in the project."
        )
        raise StorageError("store", "none is named, and the disk of a pod is lost with it", remedy=remedy)
    return str(parse_uri(named or ".evergreen/store"))
