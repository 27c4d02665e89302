"""What outputs are counted by: the labels that the candidate was trained on, or ranges of its numbers."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evergreen import log
from evergreen.bundle.signature import Label, Signature
from evergreen.errors import NotFoundError
from evergreen.profile.baseline import baseline_profile
from evergreen.profile.model import Column
from evergreen.registry import Registry
from evergreen.storage import Store
from evergreen.tables import literal

_log = log.get(__name__)
OTHER = "(other)"
_MOST = 50


@dataclass(frozen=True)
class Reference:
    """The distribution of the training labels.

    Attributes:
        labels: Names of classes, most frequent first, or of ranges, in order; the rarest past 50 are `OTHER`.
        counts: Training rows by label; empty where the bundle has no profile.
        edges: Of ranges: upper edges of all but the last one; empty for classes.
        number: Whether the model predicts numbers.
        scale: Standard deviation of the training numbers; 0 where it is not known, 1 for classes.
    """

    labels: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    edges: tuple[float, ...] = ()
    number: bool = False
    scale: float = 1.0

    def place(self) -> str:
        """SQL: the place in `labels` of a row of the log (NULL for none); empty where nothing is counted."""
        if not self.labels:
            return ""
        if self.number:
            above = " + ".join(f"(score > {literal(edge)})::INTEGER" for edge in self.edges) or "0"
            return f"CASE WHEN isfinite(score) THEN CAST({above} AS SMALLINT) END"
        cases = " ".join(
            f"WHEN {literal(name)} THEN {place}" for place, name in enumerate(self.labels) if name != OTHER
        )
        return f"CAST(CASE prediction {cases} ELSE {len(self.labels) - 1} END AS SMALLINT)"


def reference_of(store: Store, model: str, version: int, scratch: Path) -> Reference:
    """The reference of a version in the registry; one without any labels where the registry lacks it.

    Args:
        store: Of the registry.
        model: The model's name.
        version: The candidate.
        scratch: A folder for the bundle's copy while it is read.

    Raises:
        BundleError: when the bundle was changed.
        StorageError: when the store refuses.
    """
    folder = scratch / "bundle"
    try:
        Registry(store).fetch(f"{model}@{version}", folder)
    except NotFoundError:
        extra = {"model": model, "version": version, "registry": store.uri}
        _log.warning("the candidate is not in the registry: outputs are not counted", extra=extra)
        return Reference()
    made = of_bundle(folder)
    shutil.rmtree(folder)
    return made


def of_bundle(folder: Path) -> Reference:
    """The reference of a bundle on this machine's disk."""
    text = (folder / "signature.json").read_text(encoding="utf-8")
    signature = Signature.from_json(text, str(folder / "signature.json"))
    profile = baseline_profile(folder)
    column = profile.label if profile else None
    return _numbers(column) if signature.classes is None else _classes(signature.classes, column)


def _numbers(column: Column | None) -> Reference:
    numbers = column.numbers if column else None
    if numbers is None or not numbers.count:
        return Reference(number=True, scale=0.0)
    edges = numbers.bins.edges
    names = [f"≤ {edge:.6g}" for edge in edges] + ([f"> {edges[-1]:.6g}"] if edges else ["any"])
    return Reference(tuple(names), numbers.bins.counts, edges, True, numbers.std or 0.0)


def _classes(classes: Sequence[Label], column: Column | None) -> Reference:
    listed = column.values if column else None
    if column is None or listed is None:
        names = [_text(c) for c in classes]
        return Reference((*names[: _MOST - 1], OTHER))
    known = {_like(value): count for value, count in listed.items}
    counted = [(known.get(_like(c), 0), _text(c)) for c in classes]
    if len(counted) > _MOST - 1:
        counted.sort(key=lambda pair: (-pair[0], pair[1]))
    kept = counted[: _MOST - 1]
    rest = max(0, column.valid - sum(count for count, _ in kept))
    return Reference((*(name for _, name in kept), OTHER), (*(count for count, _ in kept), rest))


def _text(label: Label) -> str:
    """A label as the prediction log writes it."""
    return label if isinstance(label, str) else json.dumps(label)


def _like(value: Label) -> str | float:
    """Labels that are equal but of different types (1, 1.0, true) as one key; texts stay apart."""
    return value if isinstance(value, str) else float(value)
