"""Bringing Envoy to a configuration: clusters first, then routes, then the clusters that nobody needs go."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evergreen.files import write_bytes
from evergreen.rollout.router.admin import Admin, EnvoyDown, Versions
from evergreen.rollout.router.bootstrap import Files
from evergreen.rollout.router.clusters import digest_of
from evergreen.rollout.router.config import Config, clusters_version, discovery

_POLL_SECONDS = 0.005
_REASONS = ("Filesystem config update rejected:", "Filesystem config update failure:")


@dataclass(frozen=True)
class Outcome:
    """How far Envoy has come.

    Attributes:
        applied: Whether the configuration is in force.
        refused: Whether Envoy refused it; then the old one is in force, and in the files again.
        reason: Why it is not in force; empty when it is.
    """

    applied: bool
    refused: bool = False
    reason: str = ""


def write(files: Files, target: Config) -> None:
    """Write the configuration for an Envoy that does not run yet."""
    _write(files.clusters, list(target.clusters.values()), clusters_version(target.clusters))
    _write(files.routes, [target.routes], target.version)


def in_force(files: Files, admin: Admin, target: Config) -> bool:
    """Whether Envoy has exactly this configuration, and would have it again after a restart.

    Raises:
        EnvoyDown: it does not answer.
    """
    if admin.versions().routes != target.version:
        return False
    if _text(files.routes) != discovery([target.routes], target.version):
        return False
    if not set(target.digests.values()) <= {digest_of(c) for c in _resources(files.clusters)}:
        return False
    active = admin.clusters()
    return all(active.get(name) == digest for name, digest in target.digests.items())


def converge(files: Files, admin: Admin | None, target: Config, patience: float) -> Outcome:
    """Bring Envoy to `target`; does nothing where it is there already.

    Args:
        files: The files that Envoy watches.
        admin: Envoy's admin page; None while it is not known.
        target: What shall be in force.
        patience: Seconds to wait for Envoy, in each step.
    """
    if admin is None:
        write(files, target)
        return Outcome(False, reason="Envoy is not up yet; it will read the plan when it starts")
    before = (_text(files.clusters), _text(files.routes))
    try:
        outcome = _step(files, admin, target, patience)
    except EnvoyDown as error:
        write(files, target)
        return Outcome(False, reason=f"{error}; it will read the plan when it is back")
    if outcome.refused:
        for path, text in zip((files.clusters, files.routes), before, strict=True):
            if text is not None:
                write_bytes(path, text)
    return outcome


def _step(files: Files, admin: Admin, target: Config, patience: float) -> Outcome:
    old = _resources(files.clusters)
    kept = {c["name"]: c for c in old if c.get("name") not in target.clusters}
    every = {**kept, **target.clusters}

    def clusters_there() -> bool:
        active = admin.clusters()
        return all(active.get(name) == digest for name, digest in target.digests.items())

    # Both: a file that takes clusters away may have been written and not been read yet.
    written = {digest_of(c) for c in old}
    if not set(target.digests.values()) <= written or not clusters_there():
        outcome = _change(
            files.clusters, list(every.values()), clusters_version(every), files.output, patience,
            clusters_there, admin, lambda v: v.refused_clusters, "clusters",
        )  # fmt: skip
        if not outcome.applied:
            return outcome
    outcome = _change(
        files.routes, [target.routes], target.version, files.output, patience,
        lambda: admin.versions().routes == target.version, admin, lambda v: v.refused_routes, "routes",
    )  # fmt: skip
    if outcome.applied and kept:
        _write(files.clusters, list(target.clusters.values()), clusters_version(target.clusters))
    return outcome


def _change(
    path: Path, resources: list[dict[str, Any]], version: str, output: Path, patience: float,
    there: Callable[[], bool], admin: Admin, refusals: Callable[[Versions], int], what: str,
) -> Outcome:  # fmt: skip
    """Write one file, unless it is there already, and wait until Envoy has taken or refused it."""
    if _text(path) == discovery(resources, version) and there():
        return Outcome(True)
    before, said = refusals(admin.versions()), _size(output)
    _write(path, resources, version)
    deadline = time.monotonic() + patience
    while not there():
        if refusals(admin.versions()) > before:
            return Outcome(False, True, f"Envoy refused the {what}: {_reason(output, said)}")
        if time.monotonic() > deadline:
            return Outcome(False, False, f"Envoy has not taken the {what} within {patience:g} s")
        time.sleep(_POLL_SECONDS)
    return Outcome(True)


def _write(path: Path, resources: list[dict[str, Any]], version: str) -> None:
    write_bytes(path, discovery(resources, version))


def _text(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _resources(path: Path) -> list[dict[str, Any]]:
    """What stands in a file; nothing where it is missing or somebody broke it."""
    try:
        found = json.loads(_text(path) or b"{}")
        return [r for r in found.get("resources", []) if isinstance(r, dict) and "name" in r]
    except (ValueError, AttributeError, TypeError):
        return []


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(output: Path, start: int) -> str:
    """What Envoy said about it since byte `start` of its output."""
    if output.exists():
        with output.open("rb") as handle:
            handle.seek(start)
            for line in reversed(handle.read().decode("utf-8", "replace").splitlines()):
                for reason in _REASONS:
                    if reason in line:
                        return line.partition(reason)[2].strip()
    return "its own log says why"
