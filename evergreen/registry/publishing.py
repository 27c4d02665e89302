"""What the push component does: a new version, its aliases, and a page about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evergreen import decisions, log
from evergreen.errors import ConflictError, DataError
from evergreen.registry.aliases import BASELINE, CANDIDATE
from evergreen.registry.records import ModelVersion
from evergreen.registry.registry import Registry

_log = log.get(__name__)


@dataclass(frozen=True)
class Published:
    """A pushed version, the aliases that stand at it, and the record as Markdown."""

    version: ModelVersion
    aliases: tuple[str, ...]
    record: str


def publish(
    registry: Registry,
    name: str,
    bundle: Path,
    *,
    evaluation: Path,
    decided: Path,
    snapshot: str = "",
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    promote: bool = True,
) -> Published:
    """Push a bundle, set `candidate` to it, and with `promote` set `baseline` too.

    The baseline is moved only from where it stood when the model was compared with it. Doing it again with
    the same bundle changes nothing.

    Args:
        registry: Where to.
        name: The model's name.
        bundle: The bundle's folder.
        evaluation: The evaluation artifact (JSON).
        decided: The decisions artifact (JSON).
        snapshot: Digest of the training set.
        settings: The project's sections `serving` and `rollout`, as plain data.
        promote: Make the version the baseline.

    Raises:
        GateStopped: when a decision is `fail`.
        ConflictError: when the baseline was moved since the comparison.
        BundleError: when the bundle is incomplete or was changed.
    """
    measured = _read_evaluation(evaluation)
    version = registry.push(
        name,
        bundle,
        decisions=_read_decisions(decided),
        evaluation=measured,
        snapshot=snapshot,
        settings=settings,
    )
    why, evidence = "pushed after its gate", version.uri.removesuffix("bundle") + "version.json"
    registry.move(name, CANDIDATE, version.version, why=why, evidence=evidence)
    if promote:
        expected = _expected(registry, version, measured)
        registry.move(name, BASELINE, version.version, why=why, evidence=evidence, expected=expected)
    standing = registry.aliases(name)
    aliases = tuple(sorted(alias for alias, number in standing.items() if number == version.version))
    _log.info("pushed", extra={"model": name, "version": version.version, "aliases": aliases})
    return Published(version, aliases, render(version, aliases))


def _expected(registry: Registry, version: ModelVersion, evaluation: dict[str, Any]) -> int | None:
    """Where the baseline must stand, given the model it was compared with; None when there was none."""
    baseline = evaluation.get("baseline")
    digest = baseline.get("digest") if isinstance(baseline, dict) else None
    standing = registry.aliases(version.name).get(BASELINE, 0)
    if not digest or standing in (0, version.version):
        return standing if digest else None
    if registry.version(version.name, standing).digest != digest:
        raise ConflictError(
            f"{version.name}@{BASELINE} stands at version {standing}, which is not the model that version "
            f"{version.version} was compared with. Run the train pipeline again."
        )
    return standing


def _read_evaluation(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(str(path), f"not an evaluation ({type(error).__name__})", "JSON") from error
    if not isinstance(record, dict):
        raise DataError(str(path), "not an evaluation", "a JSON object")
    return record


def _read_decisions(path: Path) -> list[decisions.Decision]:
    try:
        return decisions.read(path)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            str(path), f"not a gate's decisions ({type(error).__name__})", "a JSON list"
        ) from error


def render(version: ModelVersion, aliases: tuple[str, ...]) -> str:
    """The record of a version as Markdown: version, aliases, digest, metrics, decisions."""
    facts = {
        "Version": str(version.version),
        "Aliases": ", ".join(aliases) or "none",
        "Blessed": "yes" if version.blessed else "no",
        "Digest": f"`{version.digest}`",
        "Training set": f"`{version.snapshot}`" if version.snapshot else "not told",
        "Pushed": f"{version.created} by {_escaped(version.by)}",
        "Files": f"`{version.uri}`",
    }
    lines = [f"# {version.name}@{version.version}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts.items()]
    metrics = version.evaluation.get("metrics", {})
    if metrics:
        lines += ["", "## Test set", "", "| Metric | Value | Interval |", "|---|---|---|"]
        lines += [
            f"| {_escaped(n)} | {_number(m.get('value'))} | {_interval(m)} |" for n, m in metrics.items()
        ]
    lines += ["", "## Decisions", "", "| Gate | Check | Slice | Verdict | Reason |", "|---|---|---|---|---|"]
    for d in version.decisions:
        cells = (d.gate, d.check, d.slice, d.verdict, d.reason)
        lines.append("| " + " | ".join(_escaped(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else "–"


def _interval(metric: dict[str, Any]) -> str:
    low, high = metric.get("low"), metric.get("high")
    return "–" if low is None or high is None else f"{_number(low)} … {_number(high)}"


def _escaped(text: str) -> str:
    """Text for a cell of a Markdown table: no cell borders, line breaks or tags of its own."""
    flat = " ".join(str(text).split())
    for character, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("`", "\\`")):
        flat = flat.replace(character, safe)
    return flat
