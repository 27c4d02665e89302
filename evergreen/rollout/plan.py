"""What a router shall do: the plan that the controller writes and every router confirms."""

from dataclasses import dataclass
from typing import Literal

Arm = Literal["baseline", "candidate", "shadow"]
ARM_HEADER = "x-evergreen-arm"
MODEL_HEADER = "x-evergreen-model"
FLAGS_HEADER = "x-evergreen-flags"


@dataclass(frozen=True)
class Target:
    """The servers of one version.

    Attributes:
        version: Of the model in the registry.
        endpoints: `host:port` of each server.
    """

    version: int
    endpoints: tuple[str, ...]


@dataclass(frozen=True)
class RoutePlan:
    """Where requests go.

    Attributes:
        model: The model's name.
        rollout: The rollout's id; empty while there is none.
        generation: Grows with every plan of a model; a router refuses an older one (fencing).
        baseline: Who answers whenever the candidate does not, or fails.
        candidate: The other version; None while there is none.
        share: Percent of the users who get the candidate, 0 to 100. Users are chosen by a hash of the user
            header, so that a greater share holds every user of a smaller one.
        mirror: Percent of the requests that are copied to the candidate, whose answers are thrown away.
        salt: Of that hash; the same through a rollout.
        user_header: The header that names the user.
        slo: Seconds; an answer that takes longer counts as slow.
        window: Seconds; a user counts as harmed at most once in it.
        timeout: Seconds that an answer by the candidate may take before the baseline answers instead.
        dead_man: Seconds without a heartbeat after which the router goes back to the baseline by itself; 0:
            never.
    """

    model: str
    rollout: str
    generation: int
    baseline: Target
    candidate: Target | None = None
    share: float = 0.0
    mirror: float = 0.0
    salt: str = ""
    user_header: str = "x-user-id"
    slo: float = 0.25
    window: float = 600.0
    timeout: float = 1.0
    dead_man: float = 30.0

    @property
    def live(self) -> bool:
        """Whether users see the candidate."""
        return self.candidate is not None and self.share > 0
