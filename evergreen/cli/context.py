"""Which store a command works on, and the environment that its parts need to reach it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evergreen.project.model import Project

HOME = Path(".evergreen")


def platform_environment(home: Path = HOME) -> dict[str, str]:
    """The credentials, endpoint and store of the embedded platform running here; empty when none is.

    Credentials that the caller has set win: then the platform's are not used at all.
    """
    if os.environ.get("AWS_ACCESS_KEY_ID") or os.environ.get("EVERGREEN_STORE"):
        return {}
    if not (home / "platform" / "state.json").exists():
        return {}
    from evergreen.local.platform import environment

    return environment(home)


def resolve(project: "Project | None", store: str | None, home: Path = HOME) -> tuple[str, dict[str, str]]:
    """The store's root URI and the environment to use with it.

    Order: `--store`, EVERGREEN_STORE, the project file's storage.root, the embedded platform that runs
    here, and last the folder .evergreen/store.
    """
    from evergreen.storage import default_store

    variables = platform_environment(home)
    os.environ.update({k: v for k, v in variables.items() if k != "EVERGREEN_STORE"})
    if store or os.environ.get("EVERGREEN_STORE") or (project and project.storage.root):
        return default_store(project, store or ""), variables
    return variables.get("EVERGREEN_STORE") or default_store(project), variables
