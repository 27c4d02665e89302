"""The section about which of the features the model gets."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from evergreen.project.model.values import Columns, Refused, Section


class Selection(Section):
    """Which of the project's features the model gets, decided on the train part alone.

    Attributes:
        mode: `drop` leaves out what is of no use, repeats another feature, or will be missing when the model
            serves; `report` only says so; `off` does not look.
        keep: Features that stay whatever is found; a leak found in one of them no longer stops the run.
        drop: Features that are left out whatever is found.
        leakage: What a feature that gives the label away does: `fail` stops the run on overwhelming evidence,
            `drop` leaves such a feature out, `warn` only says so, `off` does not look. On weaker evidence all
            but `off` warn.
        availability: The same for a feature that batch prediction or serving will not have.
        same: From what rank correlation two numbers carry the same information.
        max_rows: Rows that are looked at, at most; drawn by the hash of their key.
        seed: Of everything random.
    """

    mode: Literal["drop", "report", "off"] = "drop"
    keep: Columns = Field(default_factory=list)
    drop: Columns = Field(default_factory=list)
    leakage: Literal["fail", "drop", "warn", "off"] = "fail"
    availability: Literal["fail", "drop", "warn", "off"] = "drop"
    same: Annotated[float, Field(gt=0.5, le=1)] = 0.99
    max_rows: Annotated[int, Field(ge=500, le=200_000)] = 20_000
    seed: int = 17

    @model_validator(mode="after")
    def _not_both(self) -> "Selection":
        both = [c for c in self.keep if c in self.drop]
        if both:
            raise Refused(f"{both[0]!r} in `keep` and in `drop`", "a feature in one of them")
        return self
