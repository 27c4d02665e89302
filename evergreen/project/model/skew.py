"""The gate between what a model was trained on and what it is served."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from evergreen.project.model.values import Columns, Duration, Mode, Section


class SkewGate(Section):
    """The gate of `check_skew`: training rows against serving rows.

    Attributes:
        mode: What a no does on values that differ for the same key and time, on features that serving lacks,
            and on types: `fail` stops the run, `warn` reports, `off` records only.
        key: The columns that name a row in both tables, further to the time; default: the training set's key.
        tolerance: How much later than its training row a serving row's time may be; default: not at all.
        precision: How far numbers may differ, relative to the greater one; the default lets float32 pass.
        max_share: Share of the matched rows that may differ in a feature; up to it a difference warns.
        min_matched: Share of the serving rows that must be found in the training set; default: none.
        distribution: What a moved distribution does, in rows that have no row to be compared with.
        psi_warn: Population stability index from which a feature's move is worth a look.
        psi_alarm: Population stability index from which a feature has moved.
    """

    mode: Mode = "fail"
    key: Columns | None = None
    tolerance: Duration = timedelta(0)
    precision: Annotated[float, Field(ge=0, lt=1)] = 1e-6
    max_share: Annotated[float, Field(ge=0, lt=1)] = 0.001
    min_matched: Annotated[float, Field(ge=0, le=1)] = 0.0
    distribution: Mode = "warn"
    psi_warn: Annotated[float, Field(gt=0)] = 0.1
    psi_alarm: Annotated[float, Field(gt=0)] = 0.25
