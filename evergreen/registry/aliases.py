"""Aliases: names that point at versions, moved by compare-and-swap, with every move on record."""

from dataclasses import dataclass

from evergreen.errors import ConflictError, InputError, NotFoundError
from evergreen.registry.records import Aliases, ModelVersion, Move, actor, decode_aliases, encode_aliases, now
from evergreen.registry.versions import ROOT
from evergreen.storage import Store

BASELINE, CANDIDATE, PREVIOUS = "baseline", "candidate", "previous"
_ATTEMPTS = 200


@dataclass(frozen=True)
class Order:
    """Where an alias shall stand, why, and where it must stand now (0: nowhere, None: anywhere)."""

    alias: str
    version: int
    why: str
    evidence: str
    expected: int | None


def read(store: Store, name: str) -> tuple[Aliases, str | None]:
    """The aliases of a model and the tag to change them by; none and no tag when there are none yet."""
    key = f"{ROOT}/{name}/aliases.json"
    try:
        data, tag = store.read_tagged(key)
    except NotFoundError:
        return Aliases({}, ()), None
    return decode_aliases(f"{store.uri}/{key}", data), tag


def require_blessed(version: ModelVersion) -> None:
    """Refuse an unblessed version as baseline.

    Raises:
        InputError: when no gate has blessed it.
    """
    if not version.blessed:
        raise InputError(
            f"{version.name}@{version.version}",
            "not blessed, so it cannot be the baseline",
            "a version that passed its gate",
            "Run the train pipeline, or allow an unblessed baseline.",
        )


def move(store: Store, name: str, order: Order) -> tuple[Move, ...]:
    """Carry out an order; returns the moves, none when the alias stands there already.

    Raises:
        ConflictError: when the alias does not stand where the order expects it.
    """
    for _ in range(_ATTEMPTS):  # each time someone else wins, so this ends
        aliases, tag = read(store, name)
        standing = aliases.aliases.get(order.alias, 0)
        if standing == order.version:
            return ()
        if order.expected is not None and standing != order.expected:
            raise ConflictError(
                f"{name}@{order.alias} stands at {_shown(standing)}, not at {_shown(order.expected)}: "
                "someone moved it meanwhile. Look at it again and decide anew."
            )
        moves = _moves(aliases, order, standing)
        try:
            store.write_if(f"{ROOT}/{name}/aliases.json", encode_aliases(aliases.moved(moves)), tag)
        except ConflictError:
            continue
        return moves
    raise ConflictError(f"{name}@{order.alias} could not be moved: others kept moving aliases of {name}")


def _moves(aliases: Aliases, order: Order, standing: int) -> tuple[Move, ...]:
    when, who = now(), actor()
    first = Move(order.alias, order.version, standing, when, who, order.why, order.evidence)
    if order.alias != BASELINE or not standing:
        return (first,)
    before, why = aliases.aliases.get(PREVIOUS, 0), f"baseline moved to version {order.version}"
    return (first, Move(PREVIOUS, standing, before, when, who, why, order.evidence))


def _shown(version: int) -> str:
    return f"version {version}" if version else "no version"
