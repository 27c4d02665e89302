"""The training set that a model was trained on, fetched from where it is kept."""

from pathlib import Path

from evergreen.bundle.manifest import verify
from evergreen.errors import DataError
from evergreen.history.versions.snapshots import snapshot_uri
from evergreen.history.versions.timetravel import fetch_version, list_versions
from evergreen.project.model import Project
from evergreen.registry import Registry
from evergreen.storage import default_store, open_store


def training_set_of(project: Project, bundle: Path, store: str, folder: Path) -> Path:
    """Fetch the version of the training set that the registry names for a model.

    Args:
        project: For the model's name, the store and its endpoint.
        bundle: The model.
        store: The store's root; empty: `evergreen.storage.default_store`.
        folder: The folder to make.

    Returns:
        The folder, in the layout of `build_training_set`.

    Raises:
        BundleError: when the bundle was changed.
        DataError: when the registry names no training set for it, or the version is no longer kept.
        StorageError: when the store refuses.
    """
    root, endpoint = default_store(project, store), project.storage.endpoint
    digest = verify(bundle)["digest"]
    place = open_store(root, endpoint=endpoint)
    known = [v for v in Registry(place).versions(project.name) if v.digest == digest and v.snapshot]
    if not known:
        raise DataError(
            f"model {project.name}, digest {digest[:12]}",
            f"the registry {place.uri} names no training set for it",
            "a model that was pushed with its snapshot",
            "Give check_skew the training set, or train the model anew.",
        )
    uri = snapshot_uri(root, project.name)
    wanted = known[-1].snapshot
    kept = [v for v in list_versions(uri, endpoint) if v.digest == wanted]
    if not kept:
        remedy = "It was removed by hand: `evergreen data retain` keeps what a registered model names."
        raise DataError(uri, f"no version has the digest {wanted[:12]}", "the model's training set", remedy)
    return fetch_version(uri, kept[-1], folder, endpoint)
