"""Why each feature goes or stays, in a sentence and in numbers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evergreen.modeling.selection.availability import Lack
from evergreen.modeling.selection.record import Dropped
from evergreen.project.model import Project
from evergreen.reports.text import number

if TYPE_CHECKING:
    from evergreen.modeling.selection.select import _Measured as Measured


def sentences(
    project: Project, measured: "Measured", lacks: Sequence[Lack], lost: set[str], fixed: set[str]
) -> list[Dropped]:
    """Every feature that goes, with the reason; the weightiest reason of a feature comes first."""
    dropped = [Dropped(n, "unusable", why) for n, why in measured.sample.plan.dropped.items()]
    if project.selection.leakage in ("fail", "drop"):
        dropped += [
            Dropped(leak.feature, "leak", leak.reason, {"rule": leak.rule, "observed": leak.observed})
            for leak in measured.leaks
            if leak.sure and leak.feature not in fixed
        ]
    for lack in lacks:
        if lack.feature in lost:
            reason = "leak" if lack.leak else "unavailable"
            dropped.append(
                Dropped(lack.feature, reason, lack.reason, {"rule": lack.rule, "observed": lack.observed})
            )
    return dropped + [_no_help(measured, k) for k in sorted(measured.gone)]


def _no_help(measured: "Measured", place: int) -> Dropped:
    names = measured.sample.names
    numbers = describe(measured)[names[place]]
    reason = measured.going[place]
    unit = next(u for u in measured.units if place in u)
    evidence = {
        k: numbers[k] for k in ("importance", "low", "high", "hits", "rounds", "mi_bits", "mi_control")
    }
    evidence["control"] = measured.importance.control[0] if measured.importance else None
    if reason == "redundant":
        other = next(k for k in unit if k not in measured.gone)
        likeness = float(measured.alike.likeness[place, other])
        why = f"it carries the same information as {names[other]!r} (likeness {number(likeness)})"
        return Dropped(names[place], reason, why, {"same_as": names[other], "likeness": likeness, **evidence})
    beaten = f"it beat shuffled copies in {numbers['hits']} of {numbers['rounds']} fits"
    if reason == "adds nothing":
        told = number(numbers["mi_bits"])
        why = f"{beaten}: alone it tells {told} bits, but nothing that the others do not tell"
    else:
        why = f"{beaten}, and alone it tells no more about the label than a shuffled one"
    return Dropped(names[place], reason, why, evidence)


def describe(measured: "Measured") -> dict[str, dict[str, Any]]:
    """By feature: what was measured."""
    place = {k: i for i, k in enumerate(measured.used)}
    types = {f["name"]: f for f in measured.sample.meta["features"]}
    found: dict[str, dict[str, Any]] = {}
    groups = {k: g for g, members in enumerate(measured.alike.groups) for k in members}
    for k, name in enumerate(measured.sample.names):
        about, own = types[name], measured.scores[k]
        entry: dict[str, Any] = {
            "type": about["type"],
            "source": about.get("source", ""),
            "mi_bits": measured.known[k].bits,
            "mi_control": measured.known[k].control,
            "alone": own.value,
            "alone_low": own.low,
            "alone_high": own.high,
            "group": groups.get(k),
        }
        entry |= dict.fromkeys(("importance", "low", "high", "hits", "rounds"))
        if measured.importance is not None and k in place:
            one = measured.importance.features[place[k]]
            unit = next(u for u, members in enumerate(measured.units) if k in members)
            joint = measured.importance.units[unit]
            entry |= {
                "importance": one.mean,
                "low": one.low,
                "high": one.high,
                "hits": joint.hits,
                "rounds": joint.rounds,
            }
            entry["verdict"] = "useful" if joint.useful else "useless" if joint.useless else "unclear"
        found[name] = entry
    return found
