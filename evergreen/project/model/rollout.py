"""The section about taking a candidate to its users: stages, guardrails, the experiment, who decides."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from evergreen.project.model.values import Duration, Fraction, Section

StageKind = Literal["shadow", "dark", "canary", "experiment"]
Reaction = Literal["roll_back", "hold", "warn", "off"]
Share = Annotated[float, Field(gt=0, le=100, description="a percentage above 0, at most 100")]


class SuccessMetric(Section):
    """What the candidate shall do better in an experiment, counted by user.

    Attributes:
        event: The outcome's name as it is reported, such as `click` or `conversion`; `retry` is found in the
            prediction log by itself.
        per: `request`: events divided by requests (a ratio, such as CTR); `user`: the user's sum of values.
        better: Whether more of it or less of it is better.
    """

    event: str
    per: Literal["request", "user"] = "request"
    better: Literal["higher", "lower"] = "higher"


class Stage(Section):
    """One stage on the way to launch.

    Attributes:
        kind: `shadow` copies requests to the candidate and compares pair by pair (disagreement, latency,
            errors); `dark` copies, and compares what the candidate would have shown (outputs, labels,
            coverage) too; both hide its answers. `canary` gives it a share of the users. `experiment` holds
            two shares still and judges the success metrics at fixed looks.
        share: Percent of the users (canary, experiment) or of the requests that are copied (shadow, dark);
            default: 100 for copies, 5 for a canary, 50 for an experiment.
        at_least: The stage lasts so long, whatever the evidence says.
        at_most: Past it the rollout stops where it is and waits for a person; default: no end.
        requests: The candidate must have answered so many.
        users: Of an experiment: users in both arms together, at which it ends.
        looks: Of an experiment: how often it is looked at, at equal shares of `users`.
        success: Of an experiment: its success metrics.
        require: Of an experiment: what the candidate must be on every success metric to go on.
        margin: Of an experiment with `not_worse`: the relative loss that still counts as not worse.
        alpha: Of an experiment: the chance of naming a winner where there is none.
    """

    kind: StageKind
    share: Share | None = None
    at_least: Duration = timedelta(minutes=10)
    at_most: Duration | None = None
    requests: Annotated[int, Field(ge=0)] = 500
    users: Annotated[int, Field(ge=10)] = 10_000
    looks: Annotated[int, Field(ge=1, le=20)] = 5
    success: list[SuccessMetric] = Field(default_factory=list)
    require: Literal["better", "not_worse"] = "not_worse"
    margin: Fraction = 0.05
    alpha: Fraction = 0.05

    @property
    def percent(self) -> float:
        """`share` with its default."""
        defaults = {"shadow": 100.0, "dark": 100.0, "canary": 5.0, "experiment": 50.0}
        return self.share if self.share is not None else defaults[self.kind]


class RateGuardrail(Section):
    """A share of bad requests that must not grow: errors, empty outputs, missing inputs.

    Attributes:
        reaction: What harm does: `roll_back`, `hold` (stop where it is and wait), `warn`, `off`.
        harm: The relative growth that is still tolerated: with 0.5 a candidate is harmful when it errs half
            as often again as the baseline. The less is tolerated, the sooner harm is seen: a doubled rate of
            1 % after about 4,000 requests to the candidate with 0.2, after 10,000 with 0.5.
    """

    reaction: Reaction = "roll_back"
    harm: Annotated[float, Field(ge=0, le=100)] = 0.2


class LatencyGuardrail(RateGuardrail):
    """Requests that take longer than the objective.

    Attributes:
        reaction: What harm does: `roll_back`, `hold` (stop where it is and wait), `warn`, `off`.
        harm: The relative growth that is still tolerated.
        slo: What takes longer counts as slow.
        harm: As above; more is tolerated, since one stall slows many requests at once.
    """

    harm: Annotated[float, Field(ge=0, le=100)] = 0.5
    slo: Duration = timedelta(milliseconds=250)


class MeanGuardrail(Section):
    """An average over users that must not get worse: CTR, retry rate, or any event that is reported.

    Attributes:
        reaction: What harm does: `roll_back`, `hold`, `warn`, `off`.
        event: The outcome's name; `retry` is found in the prediction log by itself.
        better: Whether more of it or less of it is better.
        margin: The relative loss that is still tolerated; also the margin of non-inferiority.
        within: For `retry`: a request by the same user so soon after the last one counts as a retry.
    """

    reaction: Reaction = "hold"
    event: str
    better: Literal["higher", "lower"] = "higher"
    margin: Fraction = 0.1
    within: Duration = timedelta(seconds=60)


class OutputGuardrail(Section):
    """What the candidate answers, against what the training labels and the baseline's answers are like.

    Attributes:
        reaction: What harm does.
        psi: Population stability index from which the labels' distribution has moved.
        rows: Fewer answers are not judged, and the stage goes on until there are so many.
        disagreement: The largest share of paired requests to which both versions answer differently.
        coverage: The smallest share of the copies that must have been answered; below it a shadow is not
            judged.
    """

    reaction: Reaction = "hold"
    psi: Annotated[float, Field(gt=0)] = 0.2
    rows: Annotated[int, Field(ge=1)] = 1000
    disagreement: Annotated[float, Field(gt=0, le=1)] = 0.5
    coverage: Annotated[float, Field(ge=0, le=1)] = 0.5


class QueryGuardrail(Section):
    """A Prometheus query whose value must lie inside bounds; no data, NaN and errors hold.

    Attributes:
        name: What it is called in records.
        query: PromQL with one number as its result.
        min: The least good value.
        max: The greatest good value.
        reaction: What a value outside does.
    """

    name: str
    query: str
    min: float | None = None
    max: float | None = None
    reaction: Reaction = "roll_back"


class Guardrails(Section):
    """What must not get worse while users see the candidate.

    Attributes:
        errors: Answers that failed: 5xx, no answer, and answers that the baseline had to give instead.
        latency: Slow answers.
        empty_outputs: Answers without a prediction.
        missing_inputs: Requests with missing values.
        outputs: The distribution of what it answers, disagreement, and the coverage of a shadow.
        means: CTR, retry rate and other averages over users.
        queries: Numbers from Prometheus.
        prometheus: The URL of the Prometheus server that `queries` go to.
        alpha: The chance of a false roll-back over the whole rollout, shared among the guardrails.
        window: A user counts for a rate guardrail at most once in this time, whatever arm they were on: users
            who fail again and again would otherwise look like harm on the arm that they happen to be on.
        min_events: Fewer events in an arm are not enough to judge an average by.
    """

    errors: RateGuardrail = Field(default_factory=RateGuardrail)
    latency: LatencyGuardrail = Field(default_factory=LatencyGuardrail)
    empty_outputs: RateGuardrail = Field(default_factory=RateGuardrail)
    missing_inputs: RateGuardrail = Field(default_factory=lambda: RateGuardrail(reaction="hold"))
    outputs: OutputGuardrail = Field(default_factory=OutputGuardrail)
    means: list[MeanGuardrail] = Field(default_factory=list)
    queries: list[QueryGuardrail] = Field(default_factory=list)
    prometheus: str = ""
    alpha: Fraction = 0.01
    window: Duration = timedelta(days=1)
    min_events: Annotated[int, Field(ge=1)] = 50


def _stages() -> list[Stage]:
    return [
        Stage(kind="shadow"),
        Stage(kind="dark"),
        *(Stage(kind="canary", share=share) for share in (5, 20, 50, 100)),
    ]


class Rollout(Section):
    """How a candidate becomes the baseline.

    Attributes:
        stages: In their order; shares of canaries must rise. After the last one the candidate is launched.
        guardrails: What must not get worse.
        soak: After the launch the old baseline stays ready for this time, and harm still brings it back.
        dead_man: A live stage without a sign of the controller for this time goes back to the baseline.
        interval: The controller looks at the evidence so often.
        supersede: Whether a newer candidate ends the rollout of an older one; else it is refused.
    """

    stages: Annotated[list[Stage], Field(min_length=1)] = Field(default_factory=_stages)
    guardrails: Guardrails = Field(default_factory=Guardrails)
    soak: Duration = timedelta(hours=1)
    dead_man: Duration = timedelta(seconds=30)
    interval: Duration = timedelta(milliseconds=500)
    supersede: bool = True
