"""Where the parts of a rollout are: store, registry, records, and the platform that runs the servers."""

import os
from dataclasses import dataclass
from pathlib import Path

from evergreen.errors import InputError
from evergreen.project import parse_project
from evergreen.project.model import Project
from evergreen.registry import Registry
from evergreen.rollout.fleet import Fleet
from evergreen.rollout.stores.interface import StateStore
from evergreen.rollout.stores.places import VARIABLE, default_state, open_state
from evergreen.storage import Store, default_store, open_store

HOME = "EVERGREEN_HOME"
"""The embedded platform's folder, where it is not `.evergreen`."""
_IN_POD = "KUBERNETES_SERVICE_HOST"


@dataclass(frozen=True)
class Places:
    """A project and where its rollouts live.

    Attributes:
        project: The project.
        store: Of registry, prediction log and decisions.
        registry: Of the models.
        state: The records.
    """

    project: Project
    store: Store
    registry: Registry
    state: StateStore


def open_places(project: str, store: str = "", state: str = "") -> Places:
    """Open them all.

    Args:
        project: The project file's text.
        store: Root URI; empty: EVERGREEN_STORE or the project's.
        state: URI of the records; empty: see `state_uri`.

    Raises:
        InputError: one of them cannot be opened.
    """
    parsed = parse_project(project)
    root = open_store(default_store(parsed, store), endpoint=parsed.storage.endpoint)
    return Places(parsed, root, Registry(root), open_state(state_uri(state)))


def state_uri(override: str = "", home: Path | None = None) -> str:
    """Where the records are.

    Order: `override`, EVERGREEN_ROLLOUT_STATE, in a pod the ConfigMaps of its namespace, else the folder
    `rollouts` of the embedded platform's home: `home`, EVERGREEN_HOME, or `.evergreen`.
    """
    home = home or (Path(os.environ[HOME]) if os.environ.get(HOME) else None)
    if override or os.environ.get(VARIABLE) or os.environ.get(_IN_POD) or home is None:
        return default_state(override)
    return str(home.absolute() / "rollouts")


def fleet_name(override: str, state: StateStore) -> str:
    """Who runs the servers, as the controller takes it: `local:FOLDER` or `kube:NAMESPACE`.

    Args:
        override: Wins.
        state: On a laptop the platform keeps the records beside itself.
    """
    if override:
        return override
    if os.environ.get(_IN_POD):
        namespace = state.uri.removeprefix("configmap://") if state.uri.startswith("configmap://") else ""
        return f"kube:{namespace}"
    named = os.environ.get(HOME)
    folder = (
        Path(named) if named else Path(state.uri).parent if state.uri.startswith("/") else Path(".evergreen")
    )
    return f"local:{folder.absolute()}"


def find_fleet(override: str, state: StateStore) -> Fleet:
    """The fleet of `fleet_name`.

    Raises:
        InputError: no such fleet, or no platform runs there.
    """
    from evergreen.rollout.controller.command import open_fleet

    name = fleet_name(override, state)
    kind, _, folder = name.partition(":")
    if kind == "local" and not (Path(folder) / "platform" / "state.json").exists():
        remedy = "Start it with `evergreen up --router`, or name the fleet: local:FOLDER or kube:NAMESPACE."
        raise InputError(folder, "no platform runs here that could serve a candidate", remedy=remedy)
    return open_fleet(name)
