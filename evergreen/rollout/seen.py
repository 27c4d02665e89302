"""What the controller saw in one look: the state machine's only input besides the record and the time."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from evergreen.rollout.record import Verdict

Endpoints = tuple[str, ...]


@dataclass(frozen=True)
class RouterSeen:
    """One router.

    Attributes:
        name: Its id, or its address as long as it was never reached.
        generation: Of the plan that it carries out; None when it cannot be reached.
        dead_man: It went back to the baseline by itself, because nobody had spoken to it.
        applied: Whether Envoy routes by that plan.
        up: Whether Envoy is live.
    """

    name: str
    generation: int | None = None
    dead_man: bool = False
    applied: bool = True
    up: bool = True

    def has(self, generation: int) -> bool:
        """Whether nobody is routed by an older plan; an Envoy that is down routes nobody."""
        return self.generation == generation and (self.applied or not self.up)

    def confirms(self, generation: int) -> bool:
        """Whether it routes by this very plan."""
        return self.generation == generation and self.applied and self.up and not self.dead_man


@dataclass(frozen=True)
class Seen:
    """All of it.

    Attributes:
        routers: Every router that should be there.
        servers: By version, `host:port` of its servers once all are ready; None while they come up.
        trouble: Why the servers cannot come up, whatever is waited for; empty when they can.
        verdict: What follows from the evidence; None where it was not asked for.
        aliases: Where the model's aliases stand; None while that is not known.
        alias: Whether the registry shows what this phase needs: `done`, `refused`, or empty for not yet.
        alias_why: Why it was refused.
        top: The highest generation that any record or router of the model knows.
        current: Whether this record's plan is the one that the routers have.
        newer: The rollout that waits for this one to end, its servers being ready; empty for none.
        older: The rollout that this one waits for; empty for none.
        overtaken: Whether another record of the model has a plan with a higher generation.
        released: Whether the rollout that took this one's plan over ended without a plan of its own.
        in_use: Versions that another record of the model needs.
        removed: Whether the servers that are not needed any more are gone.
        shipped: Whether the final record is in the object store.
        sent: The number of the last decision that is in the object store.
        holder: Who looks.
    """

    routers: tuple[RouterSeen, ...] = ()
    servers: Mapping[int, Endpoints | None] = field(default_factory=dict)
    trouble: str = ""
    verdict: Verdict | None = None
    aliases: Mapping[str, int] | None = None
    alias: str = ""
    alias_why: str = ""
    top: int = 0
    current: bool = True
    newer: str = ""
    older: str = ""
    overtaken: bool = False
    released: bool = False
    in_use: frozenset[int] = frozenset()
    removed: bool = False
    shipped: bool = False
    sent: int = 0
    holder: str = ""

    def confirmed(self, generation: int) -> bool:
        """Whether every router carries this generation out; never so when no router is known."""
        return bool(self.routers) and all(r.confirms(generation) for r in self.routers)


@dataclass(frozen=True)
class Timing:
    """What the state machine waits for, besides what the project says; seconds.

    Attributes:
        drain: From the last request that a version may have got to the end of its servers.
        start_within: Until when the candidate's servers must be ready.
        grace: Beyond the dead man's time, until a router that cannot be reached counts as gone back.
        quiet: Between two records of a verdict that goes to and fro.
    """

    drain: float = 30.0
    start_within: float = 600.0
    grace: float = 5.0
    quiet: float = 30.0
