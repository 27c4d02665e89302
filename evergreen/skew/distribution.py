"""Serving rows that have no training row, against the training set in distribution."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from evergreen.findings import Finding
from evergreen.profile.counting.statistics import profile_table
from evergreen.profile.model import Profile
from evergreen.profile.schema.inference import infer_schema
from evergreen.profile.validation.validate import Validation, validate
from evergreen.project.model import DataGate, Resources, SkewGate
from evergreen.skew.tables import SkewTables
from evergreen.tables.meta import write_meta

GATE = "skew"
# What validation says about a table as a whole, or about types, is not a matter of distribution.
_NOT_HERE = frozenset(
    {"constant", "max_missing", "min_rows", "volume", "type", "column", "new column", "order"}
)


@dataclass(frozen=True)
class Compared:
    """Rows compared in distribution.

    Attributes:
        rows: How many.
        findings: What moved.
        validation: All of it, for the report.
        reference: The frozen profile that they were compared with.
    """

    rows: int
    findings: tuple[Finding, ...]
    validation: Validation
    reference: Profile


def write_table(tables: SkewTables, folder: Path) -> None:
    """Say what the columns of the unmatched rows mean, so that validation and its samples know them."""
    meta = {"entity": list(tables.entity), "key": list(tables.key), "time": tables.time, "label": None}
    write_meta(folder, meta)


def compare_distributions(
    tables: SkewTables,
    rows: int,
    folder: Path,
    gate: SkewGate,
    *,
    reference: Profile | None = None,
    skip: Collection[str] = (),
    resources: Resources | None = None,
) -> Compared:
    """Hold the unmatched serving rows to the training set's frozen profile, as validation does.

    The noise floor and the level of every test are validation's: with no drift at most 1 % of all runs report
    anything.

    Args:
        tables: The two tables.
        rows: Rows in `folder`; at least 1.
        folder: The unmatched rows, with `meta.json`.
        gate: Thresholds and modes.
        reference: A frozen profile, such as the baseline's; default: the training set's own.
        skip: Features that have a finding already which explains what would be found here.
        resources: Memory and threads.

    Raises:
        DataError: when a table cannot be read.
    """
    own = reference or _profile(tables, resources)
    names = {f.name for f in tables.features if not f.other_type}
    frozen = replace(own, columns=tuple(c for c in own.columns if c.name in names), key=(), slices=())
    rules = DataGate(
        mode=gate.distribution, drift=gate.distribution, psi_warn=gate.psi_warn, psi_alarm=gate.psi_alarm,
        min_rows=1, max_missing=1.0,
    )  # fmt: skip
    checked = validate(
        folder, infer_schema(frozen), rules, baseline=frozen, environment="serving", resources=resources
    )
    found = tuple(
        replace(f, gate=GATE, rule=f"distribution {f.rule}")
        for f in checked.findings
        if f.column in names and f.rule not in _NOT_HERE and f.column not in skip
    )
    return Compared(rows, found, checked, frozen)


def _profile(tables: SkewTables, resources: Resources | None) -> Profile:
    """The training set's profile, with the roles that its rows are matched by."""
    roles = dict.fromkeys(tables.key, "key")
    if tables.time:
        roles[tables.time] = "time"
    if tables.label:
        roles[tables.label] = "label"
    return profile_table(tables.training, roles, resources=resources)  # type: ignore[arg-type]
