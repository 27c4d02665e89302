"""What an assessment says: size, classes, entities, the slices of the long tail, and what follows."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from evergreen.errors import DataError
from evergreen.files import write_text

RuleKind = Literal["frequency", "values", "range"]
SliceKind = Literal["entities", "values", "value", "pair", "extreme", "missing", "class"]
Value = str | None


@dataclass(frozen=True)
class Rule:
    """Which rows a slice holds, without SQL, so that anyone can compute it from a row.

    Attributes:
        kind: `frequency`: the row's values in `columns` stand together in `fewest` to `most` rows of the
            table. `values`: they are one of `values`. `range`: the number is within `low` and `high`.
        columns: One column, or those that make a key together.
        values: Each a value for each column, as text; None is a missing one.
        low: At least this; None for no bound.
        high: At most this; None for no bound.
        fewest: Rows.
        most: Rows.
    """

    kind: RuleKind
    columns: tuple[str, ...]
    values: tuple[tuple[Value, ...], ...] = ()
    low: float | None = None
    high: float | None = None
    fewest: int = 1
    most: int = 0


@dataclass(frozen=True)
class TailSlice:
    """Small data inside the data.

    Attributes:
        name: `long_tail:…`, the same in every run as long as the slice means the same.
        kind: What makes it rare.
        rule: Which rows are in it.
        words: The rule in words.
        rows: Rows of the table.
        share: Of all rows.
        entities: Different entities in it; None without an entity.
        label: The rate of the positive class, or the mean of a number; None for several classes.
        label_low: Lower bound of `label` at 95 %.
        label_high: Upper bound.
        different: Whether its label differs from that of the other rows, all slices that were looked at
            taken into account (Benjamini and Hochberg, false discovery rate 0.05).
        small: Whether it has fewer rows than small data has.
        test_rows: Rows that the test set will have of it, by the split's share.
        judged: Whether that is enough to hold it to a bound.
        detectable: The least loss of the leading metric that so many test rows tell from noise, at an error
            of 1 % for all slices together, as the gate does.
    """

    name: str
    kind: SliceKind
    rule: Rule
    words: str
    rows: int
    share: float
    entities: int | None = None
    label: float | None = None
    label_low: float | None = None
    label_high: float | None = None
    different: bool = False
    small: bool = True
    test_rows: int = 0
    judged: bool = False
    detectable: float | None = None


@dataclass(frozen=True)
class Band:
    """Entities between two numbers of rows each: head, torso or tail."""

    name: str
    fewest: int
    most: int
    entities: int
    rows: int


@dataclass(frozen=True)
class Entities:
    """How rows are spread over entities.

    Attributes:
        columns: What names an entity.
        count: Different entities.
        fewest: Rows of the entity with the fewest.
        median: Rows.
        mean: Rows.
        most: Rows of the entity with the most.
        gini: 0 when all have the same number of rows, near 1 when one has all (Gini 1912).
        icc: How alike the labels of one entity are: 0 not at all, 1 the same; None without a label.
        effective_rows: Independent rows that hold as much as these, by `icc`.
        bands: Head, torso, tail.
        lorenz: Share of the entities, those with the fewest rows first, and the share of the rows they hold.
        ranks: Rank by rows, and rows.
    """

    columns: tuple[str, ...]
    count: int
    fewest: int
    median: int
    mean: float
    most: int
    gini: float
    icc: float | None
    effective_rows: float
    bands: tuple[Band, ...]
    lorenz: tuple[tuple[float, float], ...]
    ranks: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Advice:
    """One thing that follows, with the number behind it; `command` is empty where there is none."""

    topic: str
    text: str
    value: float
    command: str = ""


@dataclass(frozen=True)
class Strategy:
    """The size of a table, and what follows.

    Attributes:
        rows: Rows.
        size: `small` below `threshold` rows, else `large`.
        threshold: Rows.
        label: The label's column, or None.
        task: `binary`, `multiclass` or `regression`; None without a label.
        positive: The positive class.
        classes: Rows by class, the most frequent first; empty for a number.
        missing_labels: Rows without a label.
        features: How many features there are.
        test_rows: Rows of the test set, by the split's share.
        metric: What `half_width` and `detectable` are about: ROC AUC at 0.75, accuracy at one half, or RMSE
            as a share of itself.
        half_width: Of the metric's 95 % interval on the test set.
        detectable: The least loss against another model that the test set tells from noise, 4 times of 5.
        entities: How rows are spread over entities; None without an entity.
        looked_at: Slices that were looked at.
        slices: Those that were kept.
        advice: What follows, the most important first.
    """

    rows: int
    size: Literal["small", "large"]
    threshold: int
    label: str | None
    task: Literal["binary", "multiclass", "regression"] | None
    positive: str | None
    classes: tuple[tuple[str, int], ...]
    missing_labels: int
    features: int
    test_rows: int
    metric: str
    half_width: float | None
    detectable: float | None
    entities: Entities | None
    looked_at: int
    slices: tuple[TailSlice, ...]
    advice: tuple[Advice, ...]

    def content(self) -> dict[str, Any]:
        """The strategy as `strategy.json` has it: ten significant digits, no NaN."""
        rounded: dict[str, Any] = _rounded({"version": 1, **asdict(self)})
        return rounded

    def write(self, path: Path) -> None:
        """Write `strategy.json`, whole or not at all."""
        write_text(
            Path(path), json.dumps(self.content(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        )


def _rounded(content: Any) -> Any:
    if isinstance(content, float):
        return float(f"{content:.10g}")
    if isinstance(content, Mapping):
        return {k: _rounded(v) for k, v in content.items()}
    if isinstance(content, list | tuple):
        return [_rounded(v) for v in content]
    return content


def read_slices(path: Path) -> tuple[TailSlice, ...]:
    """The slices of a `strategy.json`; none for a file that is not there or holds nothing.

    Raises:
        DataError: when it is no strategy.
    """
    path = Path(path)
    if not path.is_file() or not path.stat().st_size:
        return ()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return tuple(_slice(entry) for entry in content["slices"])
    except (ValueError, KeyError, TypeError) as error:
        found = f"no strategy ({type(error).__name__})"
        raise DataError(str(path), found, remedy="Run assess_data again.") from error


def _slice(entry: Mapping[str, Any]) -> TailSlice:
    rule = entry["rule"]
    values = tuple(tuple(line) for line in rule["values"])
    made = Rule(**{**rule, "columns": tuple(rule["columns"]), "values": values})
    return TailSlice(**{**entry, "rule": made})
