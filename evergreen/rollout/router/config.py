"""From a plan to what Envoy reads: clusters (CDS), routes (RDS), and the version that Envoy confirms."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from evergreen.rollout.plan import RoutePlan
from evergreen.rollout.router.checks import check
from evergreen.rollout.router.clusters import clusters, digest_of
from evergreen.rollout.router.routes import routes, without_plan


@dataclass(frozen=True)
class Config:
    """What Envoy shall have in force.

    Attributes:
        clusters: By name.
        routes: The route table.
        version: Of the routes: the generation and a digest, so that no other content passes for it.
    """

    clusters: Mapping[str, dict[str, Any]]
    routes: dict[str, Any]
    version: str

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each cluster by its name."""
        return {name: digest_of(cluster) for name, cluster in self.clusters.items()}


def config(plan: RoutePlan | None, *, safe: bool = False) -> Config:
    """The configuration of a plan; of None, the one that answers that there is none.

    Args:
        plan: What the router shall do.
        safe: As the dead man leaves it: everyone gets the baseline, nothing is copied or counted.

    Raises:
        InputError: naming the field of the plan that is at fault.
    """
    if plan is None:
        table, found, name = without_plan(), {}, "none"
    else:
        check(plan)
        table, found = routes(plan, safe=safe), clusters(plan)
        name = f"g{plan.generation}{'-dead-man' if safe else ''}"
    digest = blake2b(msgspec.json.encode(table, order="sorted"), digest_size=8).hexdigest()
    return Config(found, table, f"{name}-{digest}")


def discovery(resources: list[dict[str, Any]], version: str) -> bytes:
    """The text of a CDS or RDS file."""
    return msgspec.json.encode({"version_info": version, "resources": resources})


def clusters_version(found: Mapping[str, dict[str, Any]]) -> str:
    """The version of a set of clusters: a digest of theirs."""
    text = " ".join(f"{name}={digest_of(found[name])}" for name in sorted(found))
    return f"c-{blake2b(text.encode(), digest_size=8).hexdigest()}"
