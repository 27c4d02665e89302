"""Which versions of kept tables stay."""

from typing import Annotated

from pydantic import Field

from evergreen.project.model.values import Duration, Section


class Retention(Section):
    """Which versions of a snapshot `evergreen data retain` keeps; without a rule it keeps all of them.

    A version stays when one of the rules keeps it. The latest one, those less than a day old, and those that
    a registered model was trained on always stay.

    Attributes:
        versions: So many of the newest.
        age: Those younger than this.
    """

    versions: Annotated[int, Field(ge=1)] | None = None
    age: Duration | None = None
