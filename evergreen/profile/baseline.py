"""The frozen baseline that travels in a model's bundle: `profile.json` and `schema.yaml`."""

from pathlib import Path

from evergreen.profile.model import Profile
from evergreen.profile.schema.inference import infer_schema
from evergreen.profile.schema.model import Schema


def baseline_profile(bundle: Path) -> Profile | None:
    """The baseline's profile; None where the bundle's folder is empty or absent: there is no baseline yet.

    Raises:
        DataError: when the file is there but is no profile of this format.
    """
    file = Path(bundle) / "profile.json"
    return Profile.read(file) if file.is_file() else None


def baseline_schema(bundle: Path) -> Schema | None:
    """The baseline's schema; None where the bundle has none.

    Raises:
        ProjectError: when the baseline's schema is broken.
    """
    file = Path(bundle) / "schema.yaml"
    return Schema.read(file) if file.is_file() else None


def schema_for(profile: Profile, bundle: Path) -> Schema:
    """The baseline's schema where the bundle has one, else one inferred from the profile.

    Raises:
        ProjectError: when the baseline's schema is broken.
    """
    return baseline_schema(bundle) or infer_schema(profile)
