"""Check the labels of a split: all that `validate_labels` reports, as findings and a list to review."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evergreen import log
from evergreen.decisions import Decision
from evergreen.errors import DataError, InputError
from evergreen.findings import Finding
from evergreen.labels.agreement import Agreement
from evergreen.labels.confident import out_of_fold, together
from evergreen.labels.copies import Copies, find_copies
from evergreen.labels.distribution import Distribution, against_baseline, class_counts, excluded, rare_classes
from evergreen.labels.issues import OVERLAP, Suspects, find_suspects
from evergreen.labels.labellers import labellers_agreement
from evergreen.labels.ledger import LabelDecision
from evergreen.labels.near import NearCopies, find_near_copies
from evergreen.labels.residuals import find_outliers, lopsided
from evergreen.labels.review_list import write_review
from evergreen.labels.rows import Rows, column_of, feature_hash, open_rows, sample
from evergreen.labels.slicing import find_slices
from evergreen.labels.verdicts import verdicts
from evergreen.modeling.columns import plan_columns
from evergreen.modeling.matrix import load_matrix
from evergreen.modeling.splitting.assign import hash_of
from evergreen.profile.model import Profile
from evergreen.project.model import Project
from evergreen.tables import connect

_log = log.get(__name__)
_CELLS = 4_000_000
_LEAST_ROWS = 40


@dataclass(frozen=True)
class Checked:
    """What was found out about the labels.

    Attributes:
        label: The label's column.
        rows: Rows of the split.
        train: Those of the train part.
        looked_at: Rows that were looked at for wrong labels and near copies.
        small: Whether it is small data.
        task: The task.
        classes: The classes' names; empty for a number.
        distribution: Labels and their baseline.
        copies: Rows with the same features.
        near: Rows with almost the same features.
        suspects: Labels that look wrong; None where no model could be asked.
        why_not: Why no model could be asked; else empty.
        agreement: Of several labellers; None where the project names none.
        findings: What does not hold, the order is that of the checks.
        decisions: Every check as a decision record.
        review_rows: Rows of the list to review.
    """

    label: str
    rows: int
    train: int
    looked_at: int
    small: bool
    task: str
    classes: tuple[str, ...]
    distribution: Distribution
    copies: Copies
    near: NearCopies
    suspects: Suspects | None
    why_not: str
    agreement: Agreement | None
    findings: tuple[Finding, ...]
    decisions: tuple[Decision, ...]
    review_rows: int = 0


def validate_labels(
    project: Project,
    splits: Path,
    review: Path,
    *,
    baseline: Profile | None = None,
    tables: Path | None = None,
    settled: Iterable[LabelDecision] = (),
) -> Checked:
    """Check the labels of all three parts of a split, and write the list to review.

    Counts (missing, classes, equal rows) are over every row, streamed. Models and near copies look at every
    row of small data, and at a seeded sample of `gates.labels.sample` rows of large data.

    Args:
        project: The project; `gates.labels` has the bounds.
        splits: The folder of `split_training_set`.
        review: Where the list goes: a folder with `review.parquet` and `meta.json`.
        baseline: The profile that the blessed model was trained on.
        tables: The folder of `ingest`; read where the project names several labellers.
        settled: Decisions of people to keep a label: their rows are not listed again.

    Raises:
        DataError: when the split cannot be read, or the labellers' source is not there.
    """
    gate, seed = project.gates.labels, project.split.seed
    with connect(project.resources) as con:
        rows = open_rows(con, splits)
        small = rows.count < gate.small
        counts = class_counts(rows)
        drift, moved = against_baseline(rows, counts, baseline, gate, project.gates.data)
        found = [*excluded(rows.meta, rows.count, gate), *rare_classes(counts, rows.label, gate), *moved]
        width = max(1, len(rows.features))
        most = rows.count if small else gate.sample
        relation = sample(rows, max(_LEAST_ROWS, min(most, _CELLS // width)), seed)
        copies = find_copies(rows, seed) if rows.features else Copies()
        near = find_near_copies(rows, relation)
        suspects, why_not = _suspects(project, rows, relation, small)
        agreed = labellers_agreement(con, project, rows, tables)
        looked = con.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0]
        classes = tuple(str(c) for c in rows.target.classes or ())
        checked = Checked(
            rows.label, rows.count, rows.parts["train"], looked, small, rows.target.task, classes,
            Distribution({str(k): v for k, v in counts.items()}, drift), copies, near, suspects, why_not,
            agreed, (), (),
        )  # fmt: skip
        found += verdicts(checked, gate)
        listed = write_review(rows, relation, suspects, copies, review, gate.review, settled)
    findings = tuple(found)
    _log.info("labels checked", extra={"rows": rows.count, "findings": len(findings), "to_review": listed})
    return replace(checked, findings=findings, decisions=_decisions(checked, findings), review_rows=listed)


def _suspects(project: Project, rows: Rows, relation: str, small: bool) -> tuple[Suspects | None, str]:
    try:
        plan = plan_columns(rows.con, relation, rows.meta["features"])
    except DataError as error:
        return None, str(error)
    matrix = load_matrix(rows.con, relation, plan.inputs, rows.target, rows.label)
    if matrix.rows < _LEAST_ROWS:
        return None, f"{matrix.rows} rows are too few to ask a model"
    keys = [column_of(rows.con, relation, feature_hash(rows.features))]
    split = rows.meta.get("split") or {}
    if split.get("method") == "entity":
        keys.append(column_of(rows.con, relation, hash_of(split["by"], 0)))
    groups = together(keys)
    if len(np.unique(groups)) < _LEAST_ROWS // 2:
        return None, "too few different rows to ask a model"
    unit = lopsided(matrix.target) if rows.target.classes is None else 0.0
    if unit:
        matrix = replace(matrix, target=np.log1p(matrix.target / unit))
    repeats = (3 if matrix.rows < 2_000 else 2) if small else 1
    try:
        said = out_of_fold(
            project.model, plan, rows.target, matrix, groups, repeats=repeats, seed=project.model.seed,
            threads=project.resources.threads,
        )  # fmt: skip
    except InputError as error:
        return None, str(error)
    if rows.target.classes is None:
        return find_outliers(said, matrix.target, unit), ""
    names = [str(c) for c in rows.target.classes]
    return find_suspects(said, matrix.target, names, find_slices(rows, project, relation)), ""


_CHECKS = {
    "missing label": "labels are there",
    "immature label": "labels are final",
    "rare class": "every class has rows enough",
    "label drift": "labels are spread as in the baseline",
    "conflicting labels": "equal rows have equal labels",
    "copies across the split": "no copy of a training row is in validation or test",
    "duplicates": "no row is there twice",
    "near copies": "no row is almost there twice",
    "wrong labels": "labels are right as far as models can tell",
    "agreement": "labellers agree",
}


def _undecided(checked: Checked) -> str:
    noise = checked.suspects.noise if checked.suspects else None
    if noise is None or noise.overlap <= OVERLAP:
        return ""
    return "these features tell the classes apart too little to tell wrong labels from hard rows"


def _decisions(checked: Checked, findings: Sequence[Finding]) -> tuple[Decision, ...]:
    """A record for every check: the findings, and a pass, or a skip, for the checks that found nothing."""
    told = {f.rule for f in findings}
    made = [f.decision() for f in findings]
    skipped = {
        "label drift": "there is no baseline to compare with" if checked.distribution.drift is None else "",
        "wrong labels": checked.why_not or _undecided(checked),
        "agreement": "the project names no labellers" if checked.agreement is None else "",
        "rare class": "the label is a number" if not checked.classes else "",
    }
    for rule, words in _CHECKS.items():
        if not any(rule in t for t in told):
            reason = skipped.get(rule, "")
            made.append(Decision("labels", rule, "skip" if reason else "pass", reason or words))
    return tuple(made)
