"""What the component `check_skew` does: keep both data sets, compare them, write decisions and report."""

from pathlib import Path

from evergreen.decisions import write
from evergreen.files import write_text
from evergreen.profile.baseline import baseline_profile
from evergreen.project.model import Project
from evergreen.skew.check import Skew, check_skew
from evergreen.skew.names import keep
from evergreen.skew.page import skew_page


def check_with_report(
    project: Project,
    training: Path,
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
        training: The training set.
        serving: The serving rows.
        decisions: The JSON file of decisions to write.
        report: The HTML page to write.
        store: Where both are kept; empty: `evergreen.storage.default_store`.
        baseline: The bundle of the model that was served, for its frozen profile; None or an empty folder:
            the training set's own.

    Raises:
        DataError: see `evergreen.skew.check_skew`.
        StorageError: when the store or the disk refuses.
    """
    training, serving = Path(training), Path(serving)
    names = keep(training, project, store, "training_set"), keep(serving, project, store, "serving")
    skew = check_skew(
        training,
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
