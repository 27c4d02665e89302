"""Slices in which labels may be wrong on their own: the project's, and those of coarse features."""

from itertools import pairwise

import numpy as np

from evergreen.labels.rows import Rows, column_of
from evergreen.project.model import Project
from evergreen.tables import identifier, kind

_MOST_VALUES = 20
_MOST_SLICES = 60


def find_slices(rows: Rows, project: Project, relation: str) -> dict[str, np.ndarray]:
    """Which rows of a relation are in which slice, [rows] each; at most 60 slices.

    First those of the project's `slices`, then every value of features that are text or booleans with at most
    20 values.

    Args:
        rows: The rows.
        project: The project.
        relation: The rows, as SQL after FROM, in a stable order.
    """
    found: dict[str, np.ndarray] = {}
    for by in project.slices:
        if by.column not in rows.types:
            continue
        if by.edges:
            values = column_of(rows.con, relation, f"{identifier(by.column)}::DOUBLE")
            bounds = [-np.inf, *by.edges, np.inf]
            for low, high in pairwise(bounds):
                found[f"{by.column} in [{low:g}, {high:g})"] = (values >= low) & (values < high)
        else:
            found |= _by_value(rows, relation, by.column, by.top)
    for name in rows.of_kind("text", "boolean"):
        if len(found) >= _MOST_SLICES:
            break
        if name not in {by.column for by in project.slices}:
            found |= _by_value(rows, relation, name, None)
    return dict(list(found.items())[:_MOST_SLICES])


def _by_value(rows: Rows, relation: str, name: str, top: int | None) -> dict[str, np.ndarray]:
    text = f"coalesce({identifier(name)}::VARCHAR, '(missing)')"
    if kind(rows.types[name]) == "nested":
        return {}
    values = column_of(rows.con, relation, text)
    distinct, counts = np.unique(values.astype(str), return_counts=True)
    if top is None and len(distinct) > _MOST_VALUES:
        return {}
    order = np.lexsort((distinct, -counts))[: top or _MOST_VALUES]
    return {f"{name}={distinct[k]}": values == distinct[k] for k in order}
