"""What is known about a rollout: counts from the routers; users and pairs from the prediction log.

Everything here is a sum, so that evidence of routers, servers and times adds up exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

RATES = ("errors", "latency", "empty_outputs", "missing_inputs")
LATENCY_EDGES = (
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75,
    1.0, 2.0, 5.0,
)  # fmt: skip
"""Upper edges of the latency counts, seconds; one more count is for what is slower than the last."""


@dataclass(frozen=True)
class ArmCounts:
    """What one arm did to requests that users waited for.

    Attributes:
        requests: All of them.
        fallbacks: Routed to the candidate and answered by the baseline; they count as errors too.
        events: By rate: requests with an error, too slow, with an empty output, with missing inputs.
        harmed: By rate: the same, a user at most once a window, on the arm that it happened on first;
            requests without a user count each.
        latency: Requests by latency, one count more than LATENCY_EDGES; empty for none.
        repeats: By rate: for each count in `harmed`, twice how often the same user was counted before in this
            rollout on either arm, so that `harmed` and `repeats` add up to the sum of squares by user. Who
            fails again and again falls on one arm with all of it: the evidence makes allowance for that.
    """

    requests: int = 0
    fallbacks: int = 0
    events: Mapping[str, int] = field(default_factory=dict)
    harmed: Mapping[str, int] = field(default_factory=dict)
    latency: tuple[int, ...] = ()
    repeats: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Bucket:
    """What one router saw in a short time under one plan; immutable once it has its number.

    Attributes:
        router: The router's id.
        seq: Counts from 1 at each router.
        rollout: The plan's rollout.
        generation: The plan's generation.
        begin: Seconds since 1970, of the first request.
        end: Of the last one.
        arms: By arm.
        mirrored: Copies that the router sent, answered or not.
        clusters: By rate: a sketch of the users who were counted in `harmed`, of both arms
            (`evergreen.rollout.statistics.clusters`).
    """

    router: str
    seq: int
    rollout: str
    generation: int
    begin: float
    end: float
    arms: Mapping[str, ArmCounts]
    mirrored: int = 0
    clusters: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class StepEvidence:
    """What routers saw in one stage.

    Attributes:
        stage: The stage's index.
        share: Percent of the users that the candidate had.
        arms: Counts by arm.
        mirrored: Copies that were sent.
        repeats: By rate: `ArmCounts.repeats` of both arms as the sketches of all routers tell it, about. More
            than what the routers know where a user was counted by several of them.
    """

    stage: int
    share: float
    arms: Mapping[str, ArmCounts] = field(default_factory=dict)
    mirrored: int = 0
    repeats: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class UserMoments:
    """Sums over the users of one arm, for a ratio y/n by user and a covariate from before they were exposed.

    `y` is what the user's events add up to, `n` the user's requests (1 for a metric by user), `x` the same
    ratio of the user before the rollout was live, of the `covered` users for whom it is known (else 0).
    """

    users: int = 0
    events: int = 0
    covered: int = 0
    y: float = 0.0
    n: float = 0.0
    x: float = 0.0
    yy: float = 0.0
    nn: float = 0.0
    xx: float = 0.0
    yn: float = 0.0
    yx: float = 0.0
    nx: float = 0.0


@dataclass(frozen=True)
class Pairs:
    """Requests that both versions answered, in shadow or dark.

    Attributes:
        pairs: Joined by request id (and row).
        disagreements: With different predictions; for numbers: that differ by more than 1 % of the
            baseline's scale.
        score: Sum and sum of squares of candidate minus baseline score.
        seconds: Sum and sum of squares of candidate minus baseline latency, by the servers' clocks.
        failures: Copies that the candidate answered with an error or an empty output.
        slower: Pairs in which the candidate took longer than the objective and the baseline did not.
        requests: How many requests the pairs are the rows of; 0 where it is not known.
    """

    pairs: int = 0
    disagreements: int = 0
    score: tuple[float, float] = (0.0, 0.0)
    seconds: tuple[float, float] = (0.0, 0.0)
    failures: int = 0
    slower: int = 0
    requests: int = 0


@dataclass(frozen=True)
class Outputs:
    """How often each label, or each range of a number, was answered; `reference` is the training labels'."""

    labels: tuple[str, ...] = ()
    reference: tuple[float, ...] = ()
    arms: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class UserEvidence:
    """What the prediction log and the outcomes say, up to their offsets.

    Attributes:
        exposed: First exposures by arm (users, each counted once, by the arm that answered first), of the
            present stage's share.
        exposed_share: The share, in percent, that `exposed` was counted under.
        metrics: By metric (a mean guardrail's or success metric's event) and arm.
        switched: Users who saw the baseline after the candidate while the share did not fall.
        pairs: Of the present shadow or dark stage.
        outputs: Of the present stage.
    """

    exposed: Mapping[str, int] = field(default_factory=dict)
    exposed_share: float = 0.0
    metrics: Mapping[str, Mapping[str, UserMoments]] = field(default_factory=dict)
    switched: int = 0
    pairs: Pairs = field(default_factory=Pairs)
    outputs: Outputs = field(default_factory=Outputs)


@dataclass(frozen=True)
class Passed:
    """What was known of users when a stage was left; the routers' counts stay in its step.

    Attributes:
        stage: The stage's index.
        users: As it stood: by then the evidence of the next stage begins from nothing.
        looks: Of the stage's experiment.
    """

    stage: int
    users: UserEvidence = field(default_factory=UserEvidence)
    looks: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True)
class Evidence:
    """All of it, as it stands in a rollout's record, in one write with the offsets it was read up to.

    Attributes:
        steps: By stage, in the order they were passed; the last one is the present stage.
        users: From the prediction log.
        queries: The last value of each Prometheus query; None where there was none (no data, NaN, not
            reachable).
        offsets: What was read: `router/<id>` → seq, `predictions/<writer>` → seq, `outcomes/<writer>` → seq.
        state: Where the sums by user are kept (a key in the store); empty while there are none.
        looks: Of the present experiment: the looks that were taken: users, z by success metric.
        passed: By stage that was left, oldest first: for people and for the record; nothing is judged by it.
        clusters: By rate: the sketch of everybody who was counted in `harmed` so far.
    """

    steps: tuple[StepEvidence, ...] = ()
    users: UserEvidence = field(default_factory=UserEvidence)
    queries: Mapping[str, float | None] = field(default_factory=dict)
    offsets: Mapping[str, int] = field(default_factory=dict)
    state: str = ""
    looks: tuple[Mapping[str, float], ...] = ()
    passed: tuple[Passed, ...] = ()
    clusters: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def added(a: ArmCounts, b: ArmCounts) -> ArmCounts:
    """The counts of both together."""
    latency = (
        tuple(x + y for x, y in zip(a.latency, b.latency, strict=True)) if a.latency and b.latency else ()
    )
    return ArmCounts(
        a.requests + b.requests,
        a.fallbacks + b.fallbacks,
        _sums(a.events, b.events),
        _sums(a.harmed, b.harmed),
        latency or a.latency or b.latency,
        _sums(a.repeats, b.repeats),
    )


def _sums(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {k: a.get(k, 0) + b.get(k, 0) for k in sorted(a.keys() | b.keys())}
