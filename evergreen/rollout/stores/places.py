"""Which state store is meant: by its URI, and the one to use when nobody says."""

import os
from pathlib import Path

from evergreen.rollout.stores.interface import StateStore

VARIABLE = "EVERGREEN_ROLLOUT_STATE"
SCHEME = "configmap://"
_HERE = ".evergreen/rollouts"


def open_state(uri: str) -> StateStore:
    """The state store at a URI.

    Args:
        uri: `configmap://NAMESPACE` (`configmap://` for the pod's own), `s3://…`, `gs://…`, or a folder.

    Raises:
        StorageError: for an unknown scheme, or when the cluster cannot be found.
    """
    if uri.startswith(SCHEME):
        from evergreen.rollout.stores.configmap import ConfigMapStates

        return ConfigMapStates(uri.removeprefix(SCHEME))
    from evergreen.storage.keys import parse_uri

    place = parse_uri(uri)
    if place.scheme == "file":
        from evergreen.rollout.stores.local import LocalStates

        return LocalStates(Path(place.path))
    from evergreen.rollout.stores.objects import ObjectStates
    from evergreen.storage import open_store

    return ObjectStates(open_store(uri))


def default_state(override: str = "") -> str:
    """The URI of the state: `override`, else EVERGREEN_ROLLOUT_STATE, else what fits the place.

    In a pod that is the ConfigMaps of its own namespace, elsewhere the folder `.evergreen/rollouts`.
    """
    named = override or os.environ.get(VARIABLE, "")
    if named:
        return named
    return SCHEME if os.environ.get("KUBERNETES_SERVICE_HOST") else str(Path(_HERE).absolute())
