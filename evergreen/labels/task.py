"""What `validate_labels` does around the checks: decisions and report are written before the gate decides."""

from contextlib import nullcontext
from pathlib import Path

from evergreen.decisions import write
from evergreen.files import write_text
from evergreen.ingest.overlay import layered
from evergreen.labels.ledger import effective, project_decisions
from evergreen.labels.page import labels_page
from evergreen.labels.validate import Checked, validate_labels
from evergreen.profile.baseline import baseline_profile
from evergreen.project.model import Project


def validate_with_report(
    project: Project,
    splits: Path,
    review: Path,
    decisions: Path,
    report: Path,
    *,
    store: str = "",
    baseline: Path | None = None,
    tables: Path | None = None,
    repaired: Path | None = None,
) -> Checked:
    """Check the labels, and write the list to review, the decision records and the page.

    Args:
        project: The project.
        splits: The folder of `split_training_set`.
        review: The folder for the list to review.
        decisions: The file for the decision records.
        report: The HTML page to write.
        store: Where people's decisions are kept; empty: `evergreen.storage.default_store`.
        baseline: The blessed model's bundle; an empty folder when there is none.
        tables: The folder of `ingest`; None when no source is to be read.
        repaired: The overlay of `repair_data`.

    Raises:
        DataError: see `validate_labels` and `evergreen.labels.ledger.project_decisions`.
    """
    frozen = baseline_profile(baseline) if baseline is not None else None
    decided = effective(project_decisions(project, store)).values()
    settled = [d for d in decided if d.action == "keep"]
    with layered(tables, repaired) if tables and repaired else nullcontext(tables) as sources:
        checked = validate_labels(project, splits, review, baseline=frozen, tables=sources, settled=settled)
    write(decisions, checked.decisions)
    write_text(report, labels_page(checked, project.gates.labels, review, project.name))
    return checked
