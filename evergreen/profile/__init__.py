"""One frozen baseline: profile, schema, distances and validation of a table.

The names below load on first use, so that importing this package costs nothing at the start of a command.
"""

from typing import TYPE_CHECKING

from evergreen.lazy import on_first_use

if TYPE_CHECKING:
    from evergreen.profile.inference import infer_schema
    from evergreen.profile.merging import merge
    from evergreen.profile.model import Profile
    from evergreen.profile.schema import Schema
    from evergreen.profile.statistics import profile_table
    from evergreen.profile.validation import validate

_HOMES = {
    "Profile": "model",
    "Schema": "schema",
    "infer_schema": "inference",
    "merge": "merging",
    "profile_table": "statistics",
    "validate": "validation",
}

__all__ = ["Profile", "Schema", "infer_schema", "merge", "profile_table", "validate"]

__getattr__ = on_first_use(__name__, _HOMES)
