"""What the components `infer_schema`, `validate_rows` and `validate_data` do around the checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from evergreen import decisions as records
from evergreen.decisions import stop_if_failed
from evergreen.files import write_text
from evergreen.findings import worst_first
from evergreen.ingest.manifest import MANIFEST, read_manifest
from evergreen.ingest.overlay import layered
from evergreen.profile.baseline import baseline_profile, baseline_schema, schema_for
from evergreen.profile.model import Profile
from evergreen.profile.schema.changes import diff
from evergreen.profile.schema.inference import infer_schema
from evergreen.profile.schema.model import Schema
from evergreen.profile.schema.page import schema_page
from evergreen.profile.validation.counting import RuleCounts, added
from evergreen.profile.validation.page import validation_page
from evergreen.profile.validation.sources import SourceChecks, check_sources
from evergreen.profile.validation.validate import Validation, count_shard, validate
from evergreen.project.model import Project


@dataclass(frozen=True)
class Inputs:
    """The folders and files that a component gets; those that may be absent are None or empty.

    Attributes:
        table: The training set.
        profile: Its profile.
        schema: What it is held to.
        baseline: The bundle of the blessed model.
        tables: The ingested sources.
        repaired: The overlay of `repair_data`.
        counts: What `validate_rows` wrote, shard by shard.
    """

    table: Path
    profile: Path
    schema: Path
    baseline: Path
    tables: Path | None = None
    repaired: Path | None = None
    counts: tuple[Path, ...] = ()


def write_schema(profile: Path, baseline: Path, schema: Path, report: Path) -> Schema:
    """Write the baseline's schema, or one inferred from the profile, and how the two differ.

    Args:
        profile: Of this run's table.
        baseline: The bundle of the blessed model, or an empty folder.
        schema: The YAML to write.
        report: The HTML page to write.

    Raises:
        DataError: when the profile is none.
        ProjectError: when the baseline's schema is broken.
    """
    own = Profile.read(profile)
    chosen, inferred = schema_for(own, baseline), infer_schema(own)
    write_text(schema, chosen.to_yaml())
    kept = baseline_schema(baseline)
    write_text(report, schema_page(chosen, diff(kept, inferred) if kept else None))
    return chosen


def count_rows(project: Project, inputs: Inputs, counts: Path, shard: int, shards: int) -> RuleCounts:
    """Count one shard's rows that break rules.

    Raises:
        DataError: when an input cannot be read.
    """
    counted = count_shard(
        inputs.table, Schema.read(inputs.schema), project.gates.data, profile=Profile.read(inputs.profile),
        baseline=baseline_profile(inputs.baseline), shard=shard, shards=shards, resources=project.resources,
    )  # fmt: skip
    counted.write(counts)
    return counted


def decide(project: Project, inputs: Inputs, decisions: Path, report: Path) -> Validation:
    """Validate table and sources, write decisions and report, then stop the run if something failed.

    Raises:
        DataError: when an input cannot be read.
        GateStopped: when a check in mode `fail` said no.
    """
    frozen = baseline_profile(inputs.baseline)
    counted = [RuleCounts.read(path) for path in inputs.counts]
    checked = validate(
        inputs.table, Schema.read(inputs.schema), project.gates.data, profile=Profile.read(inputs.profile),
        baseline=frozen, counts=added(counted) if counted else None, resources=project.resources,
    )  # fmt: skip
    sources = _sources(project, inputs)
    together = Validation(
        (*sources.decisions, *checked.decisions),
        tuple(worst_first([*sources.findings, *checked.findings])),
        checked.drifts,
        checked.current,
    )
    records.write(decisions, together.decisions)
    write_text(report, validation_page(together, frozen))
    stop_if_failed(together.decisions)
    return together


def _sources(project: Project, inputs: Inputs) -> SourceChecks:
    if inputs.tables is None or not (inputs.tables / MANIFEST).is_file():
        return SourceChecks((), ())
    as_of = read_manifest(inputs.tables).as_of
    now = datetime.fromisoformat(as_of) if as_of else datetime.now(UTC)
    with layered(inputs.tables, inputs.repaired) as folder:
        return check_sources(project, folder, now if now.tzinfo else now.replace(tzinfo=UTC))


def paths(artifacts: Sequence[object] | None) -> tuple[Path, ...]:
    """The paths of a list of artifacts; none for None."""
    return tuple(Path(a.path) for a in artifacts or ())  # type: ignore[attr-defined]
