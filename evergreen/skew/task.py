"""What the component `check_skew` does: keep both data sets, compare them, write decisions and report."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from evergreen.decisions import write
from evergreen.errors import InputError
from evergreen.files import write_text
from evergreen.profile.baseline import baseline_profile
from evergreen.project.model import Project
from evergreen.skew.check import Skew, check_skew
from evergreen.skew.names import keep
from evergreen.skew.page import skew_page
from evergreen.skew.trained import training_set_of


def check_with_report(
    project: Project,
    training: Path | None,
    serving: Path,
    decisions: Path,
    report: Path,
    *,
    store: str = "",
    baseline: Path | None = None,
) -> Skew:
    """Compare training with serving; both are kept as versions in the store, and named in the report.

    Args:
        project: `gates.skew`, `resources`, the store and its endpoint are used.
        training: The training set; None: the one that the registry names for the model `baseline`.
        serving: The serving rows.
        decisions: The JSON file of decisions to write.
        report: The HTML page to write.
        store: Where both are kept; empty: `evergreen.storage.default_store`.
        baseline: The bundle of the model that was served, for its frozen profile; None or an empty folder:
            the training set's own.

    Raises:
        InputError: when neither training set nor model is given.
        DataError: see `evergreen.skew.check_skew` and `training_set_of`.
        StorageError: when the store or the disk refuses.
    """
    serving = Path(serving)
    with _training(project, training, baseline, store) as table:
        names = keep(table, project, store, "training_set"), keep(serving, project, store, "serving")
        skew = check_skew(
            table,
            serving,
            project.gates.skew,
            label=project.label.column,
            baseline=baseline_profile(baseline) if baseline else None,
            names=names,
            resources=project.resources,
        )
    write(Path(decisions), skew.decisions)
    write_text(Path(report), skew_page(skew, f"Training against serving: {project.name}"))
    return skew


@contextmanager
def _training(project: Project, given: Path | None, model: Path | None, store: str) -> Iterator[Path]:
    if given is not None:
        yield Path(given)
        return
    if model is None or not Path(model).is_dir() or not any(Path(model).iterdir()):
        raise InputError(
            "check_skew",
            "neither a training set nor a model",
            "one of them",
            "Connect `training`, or `baseline`.",
        )
    with TemporaryDirectory(prefix="evergreen-training-") as scratch:
        yield training_set_of(project, Path(model), store, Path(scratch) / "training_set")
