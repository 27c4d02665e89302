"""Selection for a file by itself: a project is made from it in a scratch folder, and run up to the split."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from evergreen.history.build import build_training_set
from evergreen.ingest.ingest import ingest
from evergreen.modeling.selection.select import Selected, select_features
from evergreen.modeling.splitting.split import split_training_set
from evergreen.project import load_project
from evergreen.project.init.write import write_project
from evergreen.project.model import Project


def select_in_file(
    file: Path,
    label: str,
    *,
    time: str | None = None,
    entity: str | None = None,
    keep: Sequence[str] = (),
    seed: int = 17,
) -> Selected:
    """Look at the features of one table.

    Args:
        file: CSV, JSON lines or Parquet.
        label: The column to predict.
        time: The column that says as of when a row asks; rows are then judged in its order.
        entity: The column that says whom a row is about; its rows stay together.
        keep: Features that stay whatever is found.
        seed: Of everything random.

    Raises:
        InputError: for a file or column that is not there, or a label that cannot be predicted.
        DataError: for a file that cannot be read, or too few rows.
    """
    with tempfile.TemporaryDirectory(prefix="evergreen-features-") as scratch:
        folder = Path(scratch)
        written = write_project(folder / "project", [file], label, time, entity, name="features")
        project = load_project(written)
        wanted = project.selection.model_copy(update={"keep": list(keep), "seed": seed})
        project = _with_every_column(project).model_copy(update={"selection": wanted})
        ingest(project, folder / "tables")
        build_training_set(project, folder / "tables", folder / "training_set")
        split_training_set(project, folder / "training_set", folder / "splits")
        return select_features(project, folder / "splits", folder / "tables")


def _with_every_column(project: Project) -> Project:
    """The project with all columns as features: also those that `init` leaves out, or takes for a row's key.

    What they are is for the selection to say.
    """
    groups = [g.model_copy(update={"exclude": []}) for g in project.features]
    sources = {name: s.model_copy(update={"key": None}) for name, s in project.sources.items()}
    label = project.label.model_copy(update={"key": None})
    return project.model_copy(update={"features": groups, "sources": sources, "label": label})
