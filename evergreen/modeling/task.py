"""The task that a label asks for, and its classes in the order that the model uses."""

from collections.abc import Mapping
from dataclasses import dataclass

from evergreen.bundle.signature import Label, Task
from evergreen.errors import DataError, InputError
from evergreen.near import did_you_mean
from evergreen.project.model import Project
from evergreen.tables import kind

FEW_VALUES = 20
MAX_CLASSES = 1000


@dataclass(frozen=True)
class Target:
    """What is to be learned.

    Attributes:
        task: `binary`, `multiclass`, `regression` or `ranking`.
        classes: The label's values, the positive one last; None where the label is a number to predict.
        positive: The positive class of a label with two values; else None.
    """

    task: Task
    classes: tuple[Label, ...] | None = None
    positive: Label | None = None


def resolve_target(project: Project, duckdb_type: str, counts: Mapping[Label, int] | None) -> Target:
    """Find the task from the project and the label's values.

    `task: auto` means: text and booleans are classes; so are numbers that are whole and take at most 20
    values; other numbers are a regression. Two classes make it binary. The positive class is
    `label.positive`, else True or the greater value.

    Args:
        project: The project; its `task` and `label` are read.
        duckdb_type: The label column's type.
        counts: Rows by label value, without missing ones; None when there are more than `MAX_CLASSES` values.

    Raises:
        DataError: when the label cannot serve the task: one class, too many classes, text in a regression.
        InputError: when `label.positive` is not one of the label's values.
    """
    where = f"label column {project.label.column!r}"
    if kind(duckdb_type) in ("timestamp", "date", "nested"):
        raise DataError(where, f"it is a {duckdb_type}", "numbers, text or booleans")
    is_text = kind(duckdb_type) in ("text", "boolean")
    if project.task == "regression" or (project.task == "auto" and not is_text and not _few_whole(counts)):
        _refuse_text(where, is_text, "regression")
        _refuse_one_value(where, counts)
        return Target("regression")
    if project.task == "ranking" and not is_text and (counts is None or len(counts) != 2):
        _refuse_one_value(where, counts)
        return Target("ranking")
    if counts is None:
        raise DataError(
            where,
            f"more than {MAX_CLASSES} different values",
            "classes to tell apart",
            "Name another label column, or set `task: regression` for a number.",
        )
    return _classes(project, where, counts)


def _classes(project: Project, where: str, counts: Mapping[Label, int]) -> Target:
    _refuse_one_value(where, counts)
    values = sorted(counts, key=lambda v: (isinstance(v, str), v))
    if project.task in ("binary", "ranking") and len(values) != 2:
        raise DataError(
            where,
            f"{len(values)} classes ({_listed(values)})",
            f"two classes for `task: {project.task}`",
            "Set `task: multiclass`, or make the label binary.",
        )
    if len(values) > 2:
        if project.label.positive is not None:
            raise InputError(
                "label.positive",
                f"{project.label.positive!r} is given, but the label has {len(values)} classes",
                f"two classes, not {_listed(values)}",
                remedy="Leave it out, or make the label binary.",
            )
        return Target("multiclass", tuple(values))
    positive = values[-1] if project.label.positive is None else _match(project.label.positive, values)
    negative = values[0] if values[1] == positive else values[1]
    if project.task == "multiclass":
        return Target("multiclass", tuple(values))
    task: Task = "ranking" if project.task == "ranking" else "binary"
    return Target(task, (negative, positive), positive)


def _match(positive: Label, values: list[Label]) -> Label:
    """The label's value that `label.positive` means: equal, or equal as text (YAML reads 1 for "1")."""
    for candidates in ([v for v in values if v == positive], [v for v in values if str(v) == str(positive)]):
        if candidates:
            return candidates[0]
    hint = did_you_mean(positive, values, "Name one of them.", cutoff=0.5)
    raise InputError(
        "label.positive", f"{positive!r} is not a value of the label", f"one of {_listed(values)}", hint
    )


def _few_whole(counts: Mapping[Label, int] | None) -> bool:
    if counts is None or len(counts) > FEW_VALUES:
        return False
    return all(float(v).is_integer() for v in counts if not isinstance(v, str))


def _refuse_text(where: str, is_text: bool, task: str) -> None:
    if is_text:
        raise DataError(where, f"text or booleans for `task: {task}`", "numbers", "Set `task: auto`.")


def _refuse_one_value(where: str, counts: Mapping[Label, int] | None) -> None:
    if counts is not None and len(counts) < 2:
        found = f"only one value ({_listed(list(counts))})" if counts else "no value at all"
        remedy = (
            "Nothing can be learned from it: check the label's definition and the rows that were excluded."
        )
        raise DataError(where, found, "at least two different values", remedy)


def _listed(values: list[Label]) -> str:
    return ", ".join(repr(v) for v in values[:10]) + (", …" if len(values) > 10 else "")
