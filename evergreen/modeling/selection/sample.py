"""The rows that selection looks at: a bounded, seeded sample of the train part, as one matrix of numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from evergreen.bundle.encode import MISSING_TEXT
from evergreen.errors import DataError
from evergreen.modeling.columns import ColumnPlan, plan_columns
from evergreen.modeling.matrix import load_column, load_matrix, sampled
from evergreen.modeling.selection.information import codes, entropy, mutual_bits
from evergreen.modeling.splitting.split import read_target
from evergreen.modeling.task import Target
from evergreen.modeling.training.pipeline import SMALL_DATA, named_columns
from evergreen.modeling.tuning.folds import Fold, make_folds
from evergreen.project.model import Project
from evergreen.tables import columns, connect, identifiers, read_meta, scan

FOLDS = 3
_REPEATS_SMALL, _REPEATS_LARGE = 5, 2
_MOST_VALUES = 50
_MOST_CLASSES = 12
_FEW_TIMES = 50


@dataclass(frozen=True)
class Sample:
    """Rows of the train part.

    Attributes:
        plan: The features; those that cannot be used are in `plan.dropped`.
        target: The task and its classes.
        meta: The split's `meta.json`.
        values: [rows, features]; categories as codes in the order of their words, missing as NaN.
        model_values: The same as a model reads it: of a category the 49 most frequent values are kept apart.
        label: [rows]; class numbers, the rarest classes beyond the twelfth as one; or the number.
        raw_label: [rows]; the label as it is, for comparing values; class numbers for classes.
        clusters: [rows]; rows with the same number are about the same entity and not independent.
        times: [rows]; rows with the same number have the same time; None without a time.
        repeats: Folds, dealt anew for every repeat except by time.
        total: Rows of the train part.
        words: Of each category, by its place: what its codes stand for.
    """

    plan: ColumnPlan
    target: Target
    meta: Mapping[str, Any]
    values: np.ndarray
    model_values: np.ndarray
    label: np.ndarray
    raw_label: np.ndarray
    clusters: np.ndarray
    times: np.ndarray | None
    repeats: tuple[tuple[Fold, ...], ...]
    total: int
    words: Mapping[int, np.ndarray]

    @property
    def rows(self) -> int:
        """Rows looked at."""
        return len(self.label)

    @property
    def names(self) -> tuple[str, ...]:
        """The features, in the order of the matrix's columns."""
        return tuple(i.name for i in self.plan.inputs)

    @property
    def classes(self) -> int:
        """Classes of `label`; 0 for a number."""
        return 0 if self.target.classes is None else int(self.label.max()) + 1

    @property
    def small(self) -> bool:
        """Whether all rows count and intervals are wide."""
        return self.total < SMALL_DATA

    def changes_with_few_times(self, place: int) -> bool:
        """Whether a feature changes mostly from time to time, and there are too few times to judge it by.

        That is: the time tells more than half of its entropy, and there are fewer than 50 times.
        """
        if self.times is None or self.times.max() >= _FEW_TIMES:
            return False
        values = codes(self.values[:, place])
        own = entropy(np.bincount(values))
        return own > 0 and mutual_bits(values, self.times) > own / 2

    def is_category(self, place: int) -> bool:
        """Whether the feature at a place is text."""
        return self.plan.inputs[place].type == "category"


def load_sample(project: Project, splits: Path) -> Sample:
    """Load at most `selection.max_rows` rows of the train part; rows of the lowest key hashes.

    Memory grows with the sampled rows times the features.

    Raises:
        DataError: when no feature can be used, or there are too few rows for three folds.
    """
    meta = read_meta(splits)
    target = read_target(meta)
    part = splits / "train.parquet"
    with connect(project.resources) as con:
        plan = plan_columns(con, scan(part), meta["features"], keep=named_columns(project.model))
        relation = _sample_table(con, project, part, meta, plan)
        matrix = load_matrix(con, relation, (), target, meta["label"])
        loaded = [load_column(con, relation, i) for i in plan.inputs]
        label = _label(matrix.target, target)
        repeats = _repeats(con, relation, meta, target, label, plan.rows < SMALL_DATA)
        clusters = _clusters(con, relation, meta.get("entity") or (), len(label))
        times = _clusters(con, relation, [meta["time"]], len(label)) if meta.get("time") else None
    words = {
        k: np.unique(v.astype(str))
        for k, (v, i) in enumerate(zip(loaded, plan.inputs, strict=True))
        if i.type == "category"
    }
    values = [_numbers(v, i.type == "category") for v, i in zip(loaded, plan.inputs, strict=True)]
    model = [_capped(v) if i.type == "category" else v for v, i in zip(values, plan.inputs, strict=True)]
    return Sample(
        plan, target, meta, np.column_stack(values), np.column_stack(model), label, matrix.target, clusters,
        times, repeats, plan.rows, words,
    )  # fmt: skip


def _sample_table(
    con: duckdb.DuckDBPyConnection, project: Project, part: Path, meta: Mapping[str, Any], plan: ColumnPlan
) -> str:
    relation = sampled(con, part, meta, project.selection.max_rows, project.selection.seed)
    known = columns(con, scan(part))
    split_by = meta["split"]["by"]
    wanted = [*(i.name for i in plan.inputs), meta["label"], *split_by, *_row_columns(meta)]
    names = identifiers(list(dict.fromkeys(c for c in wanted if c in known)))
    con.execute(f"CREATE TEMP TABLE evergreen_sample AS SELECT {names} FROM {relation}")
    return "evergreen_sample"


def _row_columns(meta: Mapping[str, Any]) -> list[str]:
    found = [*(meta.get("key") or ()), *(meta.get("entity") or ())]
    return [*found, meta["time"]] if meta.get("time") else found


def _label(target: np.ndarray, task: Target) -> np.ndarray:
    """Class numbers; classes beyond the twelfth most frequent are one, so that the work stays bounded."""
    if task.classes is None:
        return target
    present, places = np.unique(target, return_inverse=True)
    if len(present) <= _MOST_CLASSES:
        return places
    frequent = [k for k, _ in Counter(places.tolist()).most_common(_MOST_CLASSES - 1)]
    mapping = np.full(len(present), _MOST_CLASSES - 1)
    mapping[sorted(frequent)] = np.arange(_MOST_CLASSES - 1)
    return mapping[places]


def _repeats(
    con: duckdb.DuckDBPyConnection, relation: str, meta: Mapping[str, Any], target: Target,
    label: np.ndarray, small: bool,
) -> tuple[tuple[Fold, ...], ...]:  # fmt: skip
    """Folds by time, by entity or by class, as the split is; by class where there are too few times."""
    count = _REPEATS_SMALL if small else _REPEATS_LARGE
    found = []
    for repeat in range(count):
        split = {**meta["split"], "seed": meta["split"]["seed"] + 101 * repeat}
        found.append(tuple(_folds(con, relation, {**meta, "split": split}, target, label)))
    return tuple(found)


def _folds(
    con: duckdb.DuckDBPyConnection, relation: str, meta: Mapping[str, Any], target: Target, label: np.ndarray
) -> Sequence[Fold]:
    methods = [meta["split"]["method"], "entity", "stratified"] if meta.get("entity") else None
    for method in methods or [meta["split"]["method"], "stratified"]:
        by = meta["entity"] if method == "entity" != meta["split"]["method"] else meta["split"]["by"]
        attempt = {**meta, "split": {**meta["split"], "method": method, "by": by}}
        try:
            return make_folds(con, relation, attempt, target, label, FOLDS)
        except DataError:
            continue
    raise DataError(
        "train part",
        f"{len(label)} rows, too few to see which features help",
        f"rows for {FOLDS} folds",
        "Give more data, or set `selection.mode: off`.",
    )


def _clusters(con: duckdb.DuckDBPyConnection, relation: str, names: Sequence[str], rows: int) -> np.ndarray:
    known = [c for c in names if c in columns(con, relation)]
    if not known:
        return np.arange(rows)
    frame = con.sql(f"SELECT hash({identifiers(known)}) AS h FROM {relation}").to_arrow_table()
    return np.unique(frame.column(0).to_numpy(), return_inverse=True)[1]


def _numbers(values: np.ndarray, category: bool) -> np.ndarray:
    if not category:
        return values
    words, codes = np.unique(values.astype(str), return_inverse=True)
    numbers = codes.astype(np.float64)
    if len(words) and words[0] == MISSING_TEXT:
        numbers[codes == 0] = np.nan
    return numbers


def _capped(codes: np.ndarray) -> np.ndarray:
    present = codes[~np.isnan(codes)]
    values, counts = np.unique(present, return_counts=True)
    if len(values) <= _MOST_VALUES:
        return codes
    frequent = np.sort(values[np.argsort(-counts, kind="stable")[: _MOST_VALUES - 1]])
    place = np.searchsorted(frequent, codes)
    hit = frequent[np.minimum(place, len(frequent) - 1)] == codes
    capped = np.where(hit, place, _MOST_VALUES - 1).astype(np.float64)
    capped[np.isnan(codes)] = np.nan
    return capped
