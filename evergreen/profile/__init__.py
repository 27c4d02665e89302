"""One frozen baseline: profile, schema, distances and validation of a table.

The names below load on first use, so that importing this package costs nothing at the start of a command.
"""

from typing import TYPE_CHECKING

from evergreen.lazy import on_first_use

if TYPE_CHECKING:
    from evergreen.profile.counting.merging import merge
    from evergreen.profile.counting.statistics import profile_table
    from evergreen.profile.model import Profile
    from evergreen.profile.schema.inference import infer_schema
    from evergreen.profile.schema.model import Schema
    from evergreen.profile.validation.validate import validate

_HOMES = {
    "Profile": "model",
    "Schema": "schema.model",
    "infer_schema": "schema.inference",
    "merge": "counting.merging",
    "profile_table": "counting.statistics",
    "validate": "validation.validate",
}

__all__ = ["Profile", "Schema", "infer_schema", "merge", "profile_table", "validate"]

__getattr__ = on_first_use(__name__, _HOMES)
