"""Assess a table: its size, how its rows are spread, the slices of its long tail, and what follows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evergreen import log
from evergreen.project.model import LongTail, Resources
from evergreen.strategy.advice import advise
from evergreen.strategy.choosing import choose
from evergreen.strategy.counting import Counted, Table, spectrum_of
from evergreen.strategy.looking import class_slices, column_slices, entity_slices, named_apart
from evergreen.strategy.model import Band, Entities, Strategy
from evergreen.strategy.noise import detectable, metric_error
from evergreen.strategy.roles import Label, Roles, read_label
from evergreen.tables import columns, connect, count, read_meta, scan

_log = log.get(__name__)
_METRICS = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "rmse, as a share of itself"}


def assess(
    path: Path, roles: Roles, settings: LongTail, resources: Resources | None = None, test: float = 0.2
) -> Strategy:
    """Assess a table in bounded memory; the same table gives the same strategy.

    Every count is exact and comes from a pass with a short result; only the edges of extremes are those of
    about 100,000 rows. What grows: with the values of a column or the entities, the hash table of one GROUP
    BY, which spills to the disk.

    Args:
        path: A Parquet file, or a folder of part files.
        roles: What its columns stand for.
        settings: `long_tail` of the project.
        resources: Memory and threads.
        test: The share of the rows that become the test set.

    Raises:
        DataError: when there is no Parquet file.
    """
    with connect(resources) as con:
        source = scan(path)
        types = columns(con, source)
        label = read_label(con, source, types, roles)
        table = Table(con, source, count(con, path), label.sql if label else "NULL::DOUBLE")
        counted = spectrum_of(table, roles.entity) if roles.entity else None
        candidates = [
            *(entity_slices(roles.entity, counted, settings) if counted else []),
            *class_slices(table, label, settings),
            *(column_slices(table, types, roles, settings) if table.rows else []),
        ]
        candidates = named_apart(candidates)
        slices = choose(table, types, candidates, label, settings, roles.entity, test)
    entities = _entities(roles.entity, counted, settings, label) if counted else None
    rows, test_rows = table.rows, round(table.rows * test)
    error = metric_error(label.task, test_rows, _rate(label)) if label else None
    half = None if error is None else 1.96 * error
    _log.info("assessed", extra={"rows": rows, "candidates": len(candidates), "slices": len(slices)})
    return Strategy(
        rows=rows, size="small" if rows < settings.small else "large", threshold=settings.small,
        label=label.column if label else None, task=label.task if label else None,
        positive=label.positive if label else None, classes=label.classes if label else (),
        missing_labels=label.missing if label else 0, features=len(roles.features), test_rows=test_rows,
        metric=_METRICS[label.task] if label else "", half_width=half, detectable=detectable(error),
        entities=entities, looked_at=len(candidates), slices=slices,
        advice=advise(rows, settings, label, len(roles.features), entities, slices,
                      (half, detectable(error)), test_rows),
    )  # fmt: skip


def assess_folder(
    path: Path, settings: LongTail, resources: Resources | None = None, *, positive: object = None,
    test: float = 0.2, meta: dict[str, Any] | None = None,
) -> Strategy:  # fmt: skip
    """Assess a table by the roles that its `meta.json`, or `meta`, gives to columns; see `assess`."""
    path = Path(path)
    if meta is None:
        meta = read_meta(path) if (path / "meta.json").is_file() else {}
    with connect(resources) as con:
        types = columns(con, scan(path))
    roles = Roles.of(meta, types, positive, settings.columns)
    return assess(path, roles, settings, resources, test)


def _rate(label: Label | None) -> float | None:
    if label is None or label.task != "binary":
        return None
    return dict(label.classes).get(label.positive or "", 0) / max(1, sum(n for _, n in label.classes))


def _entities(columns: Sequence[str], counted: Counted, settings: LongTail, label: Label | None) -> Entities:
    spectrum = counted.spectrum
    icc, effective = _alike(counted, label)
    return Entities(
        columns=tuple(columns), count=spectrum.count, fewest=int(spectrum.sizes[0]), median=spectrum.median,
        mean=spectrum.rows / spectrum.count, most=int(spectrum.sizes[-1]), gini=spectrum.gini, icc=icc,
        effective_rows=effective, bands=_bands(counted, settings), lorenz=spectrum.lorenz(),
        ranks=spectrum.ranks(),
    )  # fmt: skip


def _alike(counted: Counted, label: Label | None) -> tuple[float | None, float]:
    """The intraclass correlation of the label, and the effective rows: n / (1 + (m − 1) · ICC).

    One-way analysis of variance (Donner, Int. Stat. Review 1986); m is Σ rows² / Σ rows, the mean size of
    the entity that a row is in (Kish 1965). Without a label no row is taken to repeat another.
    """
    spectrum = counted.spectrum
    whole = counted.up_to(int(spectrum.sizes[-1]))
    rows, groups = whole.given, spectrum.count
    if label is None or label.task == "multiclass" or groups < 2 or rows <= groups:
        return None, float(spectrum.rows)
    between = max(0.0, counted.within - whole.total**2 / rows) / (groups - 1)
    inside = max(0.0, whole.squares - counted.within) / (rows - groups)
    size = (rows - spectrum.squares / rows) / (groups - 1)
    if between + inside <= 0:
        return None, float(spectrum.rows)
    icc = max(0.0, (between - inside) / (between + (size - 1) * inside))
    weighted = spectrum.squares / spectrum.rows
    return icc, spectrum.rows / (1 + (weighted - 1) * icc)


def _bands(counted: Counted, settings: LongTail) -> tuple[Band, ...]:
    """Head: the fewest entities that hold half of the rows; tail: as `long_tail` says; torso: between."""
    spectrum = counted.spectrum
    tail = spectrum.tail(settings.tail_share, max(1.0, settings.rare_share * spectrum.rows))
    head = max(spectrum.head(), tail + 1)
    edges = [("head", head, int(spectrum.sizes[-1])), ("torso", tail + 1, head - 1), ("tail", 1, tail)]
    found = []
    for name, low, high in edges:
        inside = (spectrum.sizes >= low) & (spectrum.sizes <= high)
        if inside.any():
            sizes, values = spectrum.sizes[inside], spectrum.values[inside]
            found.append(
                Band(name, int(sizes[0]), int(sizes[-1]), int(values.sum()), int((sizes * values).sum()))
            )
    return tuple(found)
