"""The data gate: a table against its schema, its volume, its user's rules, and its frozen baseline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evergreen.decisions import Decision
from evergreen.findings import GATE, Finding, worst_first
from evergreen.profile.counting.reading import Reader, readers
from evergreen.profile.counting.statistics import profile_table
from evergreen.profile.model import Profile
from evergreen.profile.schema.model import Schema
from evergreen.profile.source import Source
from evergreen.profile.traits.observe import observe
from evergreen.profile.validation import against
from evergreen.profile.validation.anomalies import RULES, SchemaCheck
from evergreen.profile.validation.counting import RuleCounts, count_rules, unique_groups
from evergreen.profile.validation.drift import Drift
from evergreen.profile.validation.novelty import new_values
from evergreen.profile.validation.rules import Rule, identity, row_rules
from evergreen.profile.validation.samples import Sampler
from evergreen.profile.validation.writing import trait_findings
from evergreen.project.model import DataGate, Resources
from evergreen.reports.text import number, percent
from evergreen.tables import connect, explained


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
    counts: RuleCounts | None = None,
    environment: str = "training",
    resources: Resources | None = None,
) -> Validation:
    """Check a table.

    Schema (columns, types, missing, invalid, domain, range, uniqueness, key), the user's rules, volume
    (`min_rows`, the baseline's rows), columns with nothing in them or one value only, and against the
    baseline: extremes, missing values, new values, lateness, drift (PSI and its kin, above chance for so
    many rows and columns), slices, and traits where the baseline has them (values that stand out, forms,
    decimals, hours, gaps, relations between columns, repeated rows).

    Args:
        path: The table.
        schema: What it is held to.
        gate: Thresholds, modes and rules; drift has a mode of its own.
        profile: Of this table, if it is there already.
        baseline: The frozen profile to compare with; without one drift is skipped.
        counts: Of the rules, where shards have counted them; see `validate_rows`.
        environment: `training` or `serving`: a serving table has no label.
        resources: Memory and threads.

    Raises:
        DataError: when the table cannot be read, or `counts` are of other rules.
    """
    current = _in_layout(path, profile, baseline, resources)
    own = profile or current
    found_pairs = against.pairs(baseline, current)
    source = Source.of(path)
    with connect(resources) as con, explained(str(path)):
        columns = readers(con, source.relation)
        key = _key(schema, source, columns)
        sampler = Sampler(con, source.relation, key)
        rules = _rules(columns, own, schema, baseline, gate)
        counted = counts or count_rules(con, source.relation, rules, unique_groups(schema, own))
        _check_counts(counted, rules, own)
        check = SchemaCheck(sampler, columns, own, schema, gate.mode, gate.drift, environment)
        found = check.shape() + check.broken(rules, counted) + check.repeated(counted)
        found += against.empty_columns(own, baseline, gate) + against.volume(own.rows, baseline, gate)
        told = {f.column for f in found if f.rule in ("type", "domain", "missing", "max_missing", "constant")}
        moved = [f for f in against.missing_changes(found_pairs, gate) if f.column not in told]
        moved += against.late(baseline, current, gate)
        moved += new_values(sampler, columns, found_pairs, schema, gate, told)
        drifts = against.drifts(found_pairs)
        moved += [f for d in drifts if (f := against.drift_finding(d, gate, len(drifts)))]
        already = {f.column for f in [*found, *moved]}
        moved += [f for f in against.sliced(baseline, current, gate) if f.column not in already]
        told |= {f.column for f in [*found, *moved] if f.rule not in ("key", "late")}
        if baseline and baseline.traits:
            if current.traits is None or current.traits.codings != baseline.traits.codings:
                seen = observe(con, source.relation, columns, current.rows, baseline.traits)
                current = replace(current, traits=seen)
            moved += trait_findings(sampler, columns, baseline, current, gate, told)
    ranked = worst_first([*found, *moved])
    decisions = [*(f.decision() for f in ranked), *_passes(found, own, baseline, gate)]
    decisions += _drift_rest(drifts, moved, baseline, gate)
    return Validation(tuple(decisions), tuple(ranked), tuple(drifts), current)


def count_shard(
    path: Path, schema: Schema, gate: DataGate, *, profile: Profile, baseline: Profile | None = None,
    shard: int = 0, shards: int = 1, resources: Resources | None = None,
) -> RuleCounts:  # fmt: skip
    """One shard's counts of the rows that break rules; all shards add up to what `validate` counts itself.

    Args:
        path: The table, whole: the shard is every `shards`-th row of each file, and its part of the keys.
        schema: What it is held to.
        gate: For the user's rules.
        profile: Of the whole table.
        baseline: The frozen profile that `validate` will be given.
        shard: Which one, from 0.
        shards: How many there are.
        resources: Memory and threads.

    Raises:
        DataError: when the table cannot be read.
    """
    source = Source.of(path)
    with connect(resources) as con, explained(str(path)):
        columns = readers(con, source.relation)
        rules = _rules(columns, profile, schema, baseline, gate)
        return count_rules(con, source.relation, rules, unique_groups(schema, profile), shard, shards)


def _in_layout(
    path: Path, profile: Profile | None, baseline: Profile | None, resources: Resources | None
) -> Profile:
    """The table's profile in the baseline's layout, counted once more only where it has another."""
    if profile and (baseline is None or profile.layout == baseline.layout):
        return profile
    return profile_table(path, edges_from=baseline, resources=resources)


def _key(schema: Schema, source: Source, columns: Sequence[Reader]) -> tuple[str, ...]:
    """What names a row in findings: the schema's key, the source's, or the first unique column."""
    names = {r.name for r in columns}
    unique = [c.name for c in schema.columns if c.unique][:1]
    return tuple(n for n in schema.key or source.named("key") or unique if n in names)


def _rules(
    columns: Sequence[Reader], profile: Profile, schema: Schema, baseline: Profile | None, gate: DataGate
) -> list[Rule]:
    own = [r for r in gate.rules if r.source is None]
    return row_rules(columns, profile, schema, baseline, own)


def _check_counts(counts: RuleCounts, rules: Sequence[Rule], profile: Profile) -> None:
    from evergreen.errors import DataError

    wanted = {identity(r, i) for i, r in enumerate(rules)}
    if set(counts.broken) != wanted or counts.rows != profile.rows:
        found = f"counts of {len(counts.broken)} rules over {counts.rows} rows"
        expected = f"{len(wanted)} rules over {profile.rows} rows"
        raise DataError("counts", found, expected, "Give validate_rows and validate_data the same inputs.")


def _drift_rest(
    drifts: Sequence[Drift], moved: Sequence[Finding], baseline: Profile | None, gate: DataGate
) -> list[Decision]:
    if not baseline:
        reason = "there is no baseline yet; this table's profile becomes the first one with the model"
        return [Decision(GATE, "drift", "skip", reason, mode=gate.drift)]
    named = {f.column for f in moved if f.rule.startswith("drift ") and f.slice == "overall"}
    rest = [against.no_drift(d, gate) for d in drifts if d.column not in named]
    if baseline.traits is None:
        reason = "the baseline was profiled without traits: forms, hours and relations are not compared"
        return [*rest, Decision(GATE, "traits", "skip", reason, mode=gate.drift)]
    if not [f for f in moved if f.rule in TRAITS]:
        reason = "values, forms, decimals, hours and relations between columns are as in the baseline"
        rest.append(Decision(GATE, "traits", "pass", reason, mode=gate.drift))
    return rest


TRAITS = ("values", "precision", "format", "length", "clock", "gap", "association", "repeated rows")


def _passes(
    found: Iterable[Finding], profile: Profile, baseline: Profile | None, gate: DataGate
) -> list[Decision]:
    broken = {f.rule for f in found}
    many = f"{len(profile.columns)} columns checked"
    passes = [
        Decision(GATE, rule, "pass", f"{many}, nothing against the schema", mode=gate.mode)
        for rule in RULES if rule not in broken
    ]  # fmt: skip
    for rule in gate.rules:
        if rule.source is None and f"rule {rule.name}" not in broken:
            reason = f"the rows hold {rule.name!r}"
            passes.append(
                Decision(
                    GATE, f"rule {rule.name}", "pass", reason, rule.max_share, mode=rule.mode or gate.mode
                )
            )
    if "max_missing" not in broken:
        reason = f"{many}, none has more than {percent(gate.max_missing)} missing"
        passes.append(Decision(GATE, "max_missing", "pass", reason, gate.max_missing, mode=gate.mode))
    if not {"min_rows", "volume"} & broken:
        reason = f"{number(profile.rows)} rows" + (
            f"; the baseline has {number(baseline.rows)}" if baseline else ""
        )
        passes.append(Decision(GATE, "min_rows", "pass", reason, gate.min_rows, profile.rows, mode=gate.mode))
    return passes
