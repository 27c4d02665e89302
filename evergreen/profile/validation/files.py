"""A file against a baseline and a schema, without a project: what the commands `validate` and `diff` do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evergreen.errors import DataError, InputError
from evergreen.profile.counting.statistics import profile_table
from evergreen.profile.model import Profile, Role
from evergreen.profile.open import opened
from evergreen.profile.schema.inference import infer_schema
from evergreen.profile.schema.model import Schema
from evergreen.profile.traits.observe import with_traits
from evergreen.profile.validation.validate import Validation, validate
from evergreen.project.model import DataGate, Resources, SliceBy


@dataclass(frozen=True)
class Checked:
    """A file's validation, and what it was compared with.

    Attributes:
        validation: The findings.
        baseline: The profile it was compared with; None where only a schema was given.
        schema: The schema it was held to.
    """

    validation: Validation
    baseline: Profile | None
    schema: Schema


def check_file(
    file: Path, baseline: Path | None, schema: Path | None, gate: DataGate, *,
    roles: Mapping[str, Role] | None = None, slices: Sequence[str] = (), resources: Resources | None = None,
) -> Checked:  # fmt: skip
    """Hold a file to a schema, and compare it with a baseline.

    Args:
        file: CSV, JSON lines, Parquet, or a folder of them.
        baseline: Such a file too, a profile, or a model's bundle; None for none.
        schema: A schema's YAML; default: the bundle's, or one inferred from the baseline.
        gate: Thresholds and modes.
        roles: Columns that are label, key or time.
        slices: Columns whose values (or quartiles) are compared part by part.
        resources: Memory and threads.

    Raises:
        InputError: for a file that cannot be read, a schema that is broken, or neither baseline nor schema.
    """
    if baseline is None and schema is None:
        raise InputError("validate", "neither a baseline nor a schema", "--baseline or --schema, or both")
    parts = [SliceBy(column=c) for c in slices]
    with opened(file, resources) as table:
        frozen = _baseline(baseline, roles, parts, resources) if baseline else None
        if frozen is not None and not frozen.rows:
            raise DataError(str(baseline), "a table without rows", "rows to compare with")
        wanted = _schema(schema, baseline, frozen)
        own = profile_table(table, roles, edges_from=frozen, slices=parts, resources=resources)
        if frozen and frozen.traits:
            own = with_traits(own, table, like=frozen.traits, resources=resources)
        done = validate(table, wanted, gate, profile=own, baseline=frozen, resources=resources)
    return Checked(done, frozen, wanted)


def _baseline(
    path: Path, roles: Mapping[str, Role] | None, slices: Sequence[SliceBy], resources: Resources | None
) -> Profile:
    known = read_profile(path)
    if known is not None:
        return known
    with opened(path, resources) as table:
        made = profile_table(table, roles, slices=slices, resources=resources)
        return with_traits(made, table, resources=resources)


def read_profile(path: Path) -> Profile | None:
    """The profile at a path: a file, or `profile.json` in a folder; None where it is a table.

    Raises:
        DataError: for a profile of another format.
    """
    if path.is_dir():
        return Profile.read(path) if (path / "profile.json").is_file() else None
    if path.suffix != ".json" or not path.is_file():
        return None
    with path.open("rb") as handle:
        head = handle.read(4096)
    return Profile.read(path) if b'"hashing"' in head or b'"columns":[{"' in head else None


def _schema(schema: Path | None, baseline: Path | None, frozen: Profile | None) -> Schema:
    if schema is not None:
        return Schema.read(schema)
    if baseline is not None and baseline.is_dir() and (baseline / "schema.yaml").is_file():
        return Schema.read(baseline)
    assert frozen is not None
    return infer_schema(frozen)


def profile_at(
    path: Path, roles: Mapping[str, Role] | None = None, resources: Resources | None = None
) -> Profile:
    """The profile at a path, or that of the table there.

    Raises:
        InputError: for a file that cannot be read.
    """
    known = read_profile(path)
    if known is not None:
        return known
    with opened(path, resources) as table:
        return profile_table(table, roles, resources=resources)
