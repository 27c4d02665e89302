"""What the commands about rollouts share: their options, and where store, registry and records are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from evergreen.project.model import Project
    from evergreen.registry import Registry
    from evergreen.rollout.record import RolloutRecord
    from evergreen.rollout.stores.interface import StateStore
    from evergreen.storage import Store

Which = Annotated[str, typer.Argument(metavar="MODEL|ID", help="A model's name, or a rollout's id.")]
WhichOrLast = Annotated[
    str | None,
    typer.Argument(metavar="[MODEL|ID]", help="A model's name, or a rollout's id; default: the last one."),
]
ProjectFile = Annotated[
    Path | None, typer.Option("--project", help="Take store, `rollout` and `serving` from this project file.")
]
StoreUri = Annotated[
    str | None, typer.Option("--store", help="Root of the registry: a folder, s3:// or gs://.")
]
StateUri = Annotated[
    str | None,
    typer.Option("--state", help="The records: a folder, s3://, gs:// or configmap://NAMESPACE."),
]
Home = Annotated[Path, typer.Option(help="The embedded platform's folder.")]
Why = Annotated[str, typer.Option(help="The reason; it stands in the record.")]
Who = Annotated[str, typer.Option(help="Who asks; default: EVERGREEN_ACTOR or the user.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON, with the keys of evergreen/rollout/view/data.py.")
]
Timeout = Annotated[float | None, typer.Option(metavar="SECONDS", help="Stop looking after so long.")]


class Place:
    """Store, registry and records, opened when they are asked for."""

    def __init__(self, project: Path | None, store: str | None, state: str | None, home: Path) -> None:
        from evergreen.cli.context import resolve
        from evergreen.project import load_project
        from evergreen.rollout.tasks.places import state_uri

        self.project: Project | None = load_project(project) if project else None
        self._uri, variables = resolve(self.project, store, home)
        self._state = state_uri(state or variables.get("EVERGREEN_ROLLOUT_STATE", ""), home)

    @property
    def store(self) -> "Store":
        """Of registry, decisions and final records."""
        from evergreen.storage import open_store

        return open_store(self._uri, endpoint=self.project.storage.endpoint if self.project else None)

    @property
    def registry(self) -> "Registry":
        """Of the models."""
        from evergreen.registry import Registry

        return Registry(self.store)

    @property
    def state(self) -> "StateStore":
        """The records."""
        from evergreen.rollout.stores.places import open_state

        return open_state(self._state)

    def find(self, which: str | None) -> "RolloutRecord":
        """A rollout by id or model; else the one under way, else the last one.

        Raises:
            NotFoundError: there is none.
        """
        from evergreen.errors import NotFoundError
        from evergreen.rollout.commands import history, status

        if which:
            return status(self.state, which)
        found = history(self.state)
        if not found:
            remedy = "`evergreen rollout start MODEL` begins one; --state or --home say where else to look."
            raise NotFoundError("rollouts", f"none in {self.state.uri}", remedy=remedy)
        return next((record for record in found if not record.ended), found[0])
