"""The sections about training: split, model, search."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from evergreen.project.model.values import (
    IN_ORDER,
    Columns,
    Duration,
    Fraction,
    Refused,
    Section,
    SklearnPath,
)


class Split(Section):
    """How rows become train, validation and test.

    Attributes:
        method: `time`: the newest rows are the test set, those before them the validation set. `entity`: by
            a hash, so that no entity stands in two parts. `stratified`: at random within each label value.
            `auto`: by time where the project has one, else by entity, else stratified.
        validation: Share of the rows for validation.
        test: Share of the rows for the test.
        by: For `entity`: the columns to hash; default: the project's `entity`.
        refuse: Leaks that stop the run: `entity` (one entity in two parts), `future` (a training row later
            than a test row).
        seed: Of everything random.
    """

    method: Literal["auto", "time", "entity", "stratified"] = "auto"
    validation: Fraction = 0.2
    test: Fraction = 0.2
    by: Columns | None = None
    refuse: list[Literal["entity", "future"]] = Field(default_factory=list)
    seed: int = 17

    @model_validator(mode="after")
    def _room_for_training(self) -> "Split":
        if self.validation + self.test >= 0.95:
            found = f"`validation` {self.validation} and `test` {self.test}"
            raise Refused(found, "a sum less than 0.95, so that training keeps 5 % of the rows")
        return self


class Step(Section):
    """One scikit-learn transformer, by its import path.

    Attributes:
        use: The import path, such as `sklearn.preprocessing.StandardScaler`.
        params: Its arguments.
        columns: Which features it gets: some by name, all `numbers`, all `categories`, or the `rest`.
    """

    use: SklearnPath
    params: dict[str, Any] = Field(default_factory=dict)
    columns: Annotated[Literal["numbers", "categories", "rest"] | Columns | None, IN_ORDER] = None


class Range(Section):
    """A number's range in the search space.

    Attributes:
        low: The least value.
        high: The greatest value.
        log: Whether to search by orders of magnitude.
        integer: Whether only whole numbers are tried.
    """

    low: float
    high: float
    log: bool = False
    integer: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if self.low >= self.high:
            raise Refused(f"`low` {self.low:g} and `high` {self.high:g}", "`low` less than `high`")
        if self.log and self.low <= 0:
            raise Refused(f"`low` {self.low:g} with `log`", "`low` greater than 0, since 0 has no logarithm")
        if self.integer and (self.low % 1 or self.high % 1):
            raise Refused(f"`low` {self.low:g} and `high` {self.high:g} with `integer`", "whole numbers")
        return self


class Choice(Section):
    """A choice in the search space.

    Attributes:
        choices: The values to try.
    """

    choices: Annotated[list[str | int | float | bool | None], Field(min_length=1)]


class Tune(Section):
    """Search over the estimator's parameters.

    The search is split into `parallel` independent, seeded studies (tasks on a cluster, processes locally),
    so the result depends on this section alone, never on the machine.

    Attributes:
        trials: How many sets of parameters are tried, all studies together.
        parallel: Into how many studies they are split.
        timeout: Ends the search early; then the result depends on the machine's speed after all.
        folds: Of the cross-validation that scores a trial.
        prune: Whether trials that fall behind after some folds are ended.
        max_rows: Rows to search on at most, drawn at random.
        space: For each parameter of the estimator a range (`{low: 0.01, high: 0.3, log: true}`) or
            `{choices: […]}`.
    """

    trials: Annotated[int, Field(ge=1)] = 20
    parallel: Annotated[int, Field(ge=1, le=256)] = 2
    timeout: Duration | None = None
    folds: Annotated[int, Field(ge=2, le=20)] = 3
    prune: bool = True
    max_rows: Annotated[int, Field(ge=100)] = 200_000
    space: Annotated[dict[str, Range | Choice], Field(min_length=1)]


class Model(Section):
    """The estimator, the transform before it, and the search over its parameters.

    Attributes:
        estimator: `auto` is gradient boosting for the task; or any scikit-learn estimator by its import
            path.
        params: The estimator's arguments.
        transform: `auto` imputes, scales and encodes by column type inside the same scikit-learn Pipeline;
            a list of steps replaces it.
        max_categories: Different values of a category that are kept apart; the rarer ones are taken
            together.
        class_weight: `balanced` weighs rare classes as much as frequent ones.
        seed: Of everything random.
        max_rows: Rows to train on at most, drawn at random; default: all.
        tune: The search; without it the estimator keeps `params`.
    """

    estimator: Literal["auto"] | SklearnPath = "auto"
    params: dict[str, Any] = Field(default_factory=dict)
    transform: Literal["auto"] | list[Step] = "auto"
    max_categories: Annotated[int, Field(ge=2, le=254)] = 50
    class_weight: Literal["balanced"] | None = None
    seed: int = 17
    max_rows: Annotated[int, Field(ge=100)] | None = None
    tune: Tune | None = None
