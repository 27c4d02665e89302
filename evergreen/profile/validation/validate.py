"""The data gate: a table against its schema, its volume, and its frozen baseline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evergreen.decisions import Decision, Mode
from evergreen.findings import GATE, Finding, no, rows_text, softened, worst_first
from evergreen.profile.counting.reading import readers
from evergreen.profile.counting.statistics import profile_table
from evergreen.profile.model import Column, Profile
from evergreen.profile.schema.model import Schema
from evergreen.profile.source import Source
from evergreen.profile.validation.anomalies import RULES, SchemaCheck
from evergreen.profile.validation.drift import SMALL, Drift, compare
from evergreen.profile.validation.novelty import new_values
from evergreen.profile.validation.samples import Sampler
from evergreen.project.model import DataGate, Resources
from evergreen.reports.text import number, percent
from evergreen.tables import connect, explained

# The chance that a run without any drift gets one warning more, over all columns together (Bonferroni).
_FALSE_ALARMS = 0.01
# Rows as a multiple of the baseline's: below the first warns, below the second fails, above the third warns.
_FEWER, _MUCH_FEWER, _MORE = 0.5, 0.1, 10


@dataclass(frozen=True)
class Validation:
    """What the data gate found.

    Attributes:
        decisions: One for every finding, every drift comparison, and every rule that held everywhere.
        findings: What is against a rule, with rows and values; the worst first.
        drifts: Every column against the baseline, the furthest first.
        current: The table's profile in the baseline's layout; its own where there is no baseline.
    """

    decisions: tuple[Decision, ...]
    findings: tuple[Finding, ...]
    drifts: tuple[Drift, ...]
    current: Profile


def validate(
    path: Path,
    schema: Schema,
    gate: DataGate,
    *,
    profile: Profile | None = None,
    baseline: Profile | None = None,
    environment: str = "training",
    resources: Resources | None = None,
) -> Validation:
    """Check a table.

    Schema (columns, types, missing, invalid, domain, range, key), volume (`min_rows`, the baseline's rows),
    columns with nothing in them or one value only, and drift: PSI against the baseline, a warning above
    `psi_warn` and an alarm above `psi_alarm`, either only above the noise floor of so many rows and columns.

    Args:
        path: The table.
        schema: What it is held to.
        gate: Thresholds and modes; drift has a mode of its own.
        profile: Of this table, if it is there already.
        baseline: The frozen profile to compare with; without one drift is skipped.
        environment: `training` or `serving`: a serving table has no label.
        resources: Memory and threads.

    Raises:
        DataError: when the table cannot be read.
    """
    own = profile or profile_table(path, resources=resources)
    current = own
    if baseline and own.layout != baseline.layout:
        current = profile_table(path, edges_from=baseline, resources=resources)
    pairs = _pairs(baseline, current)
    source = Source.of(path)
    with connect(resources) as con, explained(str(path)):
        columns = readers(con, source.relation)
        names = {r.name for r in columns}
        key = tuple(n for n in schema.key or source.named("key") if n in names)
        sampler = Sampler(con, source.relation, key)
        found = SchemaCheck(sampler, columns, own, schema, gate.mode, environment).findings()
        moved = new_values(sampler, columns, pairs, schema, gate)
    found += _empty_columns(own, gate) + _volume(own.rows, baseline, gate)
    drifts = _drifts(pairs)
    moved += [f for d in drifts if (f := _drift_finding(d, gate))]
    ranked = worst_first([*found, *moved])
    decisions = [*(f.decision() for f in ranked), *_passes(found, own, baseline, gate)]
    decisions += _drift_rest(drifts, moved, baseline, gate)
    return Validation(tuple(decisions), tuple(ranked), tuple(drifts), current)


def _empty_columns(profile: Profile, gate: DataGate) -> list[Finding]:
    found = []
    for column in profile.columns:
        if column.rows and column.missing_share > gate.max_missing:
            reason = f"{rows_text(column.missing, column.rows)} of column {column.name!r} are missing"
            found.append(
                no("max_missing", column.name, gate.mode, reason, observed=column.missing_share,
                   threshold=gate.max_missing, count=column.missing, share=column.missing_share)
            )  # fmt: skip
        elif column.constant and column.rows > 1 and column.role in ("feature", "label"):
            mode = gate.mode if column.role == "label" else softened(gate.mode)
            reason = f"column {column.name!r} holds one value in all rows"
            found.append(
                no("constant", column.name, mode, reason, observed=1, threshold=2, count=column.rows)
            )
    return found


def _volume(rows: int, baseline: Profile | None, gate: DataGate) -> list[Finding]:
    if rows < gate.min_rows:
        reason = f"the table has {number(rows)} rows; at least {number(gate.min_rows)} are needed"
        return [no("min_rows", "", gate.mode, reason, observed=rows, threshold=gate.min_rows, count=rows)]
    if not baseline or not baseline.rows or _FEWER <= rows / baseline.rows <= _MORE:
        return []
    ratio = rows / baseline.rows
    mode: Mode = gate.mode if ratio < _MUCH_FEWER else softened(gate.mode)
    bound = _MORE if ratio > 1 else _MUCH_FEWER if ratio < _MUCH_FEWER else _FEWER
    reason = (
        f"the table has {number(rows)} rows, {number(ratio)} times the baseline's {number(baseline.rows)}"
    )
    return [no("volume", "", mode, reason, observed=ratio, threshold=bound, count=rows)]


def _pairs(baseline: Profile | None, current: Profile) -> list[tuple[Column, Column]]:
    """The columns that are compared, each of the baseline with the table's."""
    compared = [c for c in baseline.columns if c.role in ("feature", "label")] if baseline else []
    return [
        (old, new) for old in compared if (new := current.by_name.get(old.name)) and old.family == new.family
    ]


def _drifts(pairs: Sequence[tuple[Column, Column]]) -> list[Drift]:
    level = 1 - _FALSE_ALARMS / max(1, len(pairs))
    found = [drift for old, new in pairs if (drift := compare(old, new, level))]
    return sorted(found, key=lambda d: (-d.psi, d.column))


def _drift_finding(drift: Drift, gate: DataGate) -> Finding | None:
    warn, alarm = max(gate.psi_warn, drift.floor), max(gate.psi_alarm, drift.floor)
    if drift.psi <= warn:
        return None
    over = drift.psi > alarm
    threshold = alarm if over else warn
    mode = gate.drift if over else softened(gate.drift)
    moved = f"PSI {number(drift.psi)} is above {number(threshold)}"
    reason = f"column {drift.column!r} moved from the baseline: {moved}"
    return no(
        "drift psi", drift.column, mode, reason + _small(drift), observed=drift.psi, threshold=threshold
    )


def _small(drift: Drift) -> str:
    if not drift.small:
        return ""
    rows = min(sum(drift.reference), sum(drift.current))
    return f" (small data: {number(rows)} rows, below {SMALL}; chance alone reaches {number(drift.floor)})"


def _drift_rest(
    drifts: Sequence[Drift], moved: Sequence[Finding], baseline: Profile | None, gate: DataGate
) -> list[Decision]:
    if not baseline:
        reason = "there is no baseline yet; this table's profile becomes the first one with the model"
        return [Decision(GATE, "drift", "skip", reason, mode=gate.drift)]
    named = {f.column for f in moved if f.rule == "drift psi"}
    return [_no_drift(d, gate) for d in drifts if d.column not in named]


def _no_drift(drift: Drift, gate: DataGate) -> Decision:
    reason = f"column {drift.column!r} is as in the baseline{_small(drift)}"
    threshold = max(gate.psi_warn, drift.floor)
    return Decision(GATE, f"drift psi({drift.column})", "pass", reason, threshold, drift.psi, mode=gate.drift)


def _passes(
    found: Iterable[Finding], profile: Profile, baseline: Profile | None, gate: DataGate
) -> list[Decision]:
    broken = {f.rule for f in found}
    many = f"{len(profile.columns)} columns checked"
    passes = [
        Decision(GATE, rule, "pass", f"{many}, nothing against the schema", mode=gate.mode)
        for rule in RULES if rule not in broken
    ]  # fmt: skip
    if "max_missing" not in broken:
        reason = f"{many}, none has more than {percent(gate.max_missing)} missing"
        passes.append(Decision(GATE, "max_missing", "pass", reason, gate.max_missing, mode=gate.mode))
    if not {"min_rows", "volume"} & broken:
        reason = f"{number(profile.rows)} rows" + (
            f"; the baseline has {number(baseline.rows)}" if baseline else ""
        )
        passes.append(Decision(GATE, "min_rows", "pass", reason, gate.min_rows, profile.rows, mode=gate.mode))
    return passes
