"""Whether split, model, evaluation, slices and gates fit the task and the rest of the project file."""

from typing import Any

from evergreen.project.view import View, column_list, mapping
from evergreen.project.wording import Path, did_you_mean, listed

CLASSIFICATION = (
    "accuracy", "balanced_accuracy", "roc_auc", "average_precision", "log_loss", "brier", "f1", "precision",
    "recall", "calibration_error",
)  # fmt: skip
REGRESSION = ("rmse", "mae", "median_absolute_error", "r2", "mape")
METRICS: dict[str, tuple[str, ...]] = {
    "binary": CLASSIFICATION,
    "multiclass": CLASSIFICATION,
    "regression": REGRESSION,
    "ranking": ("ndcg", "roc_auc", "average_precision"),
}


def check_model(view: View) -> None:
    """Record contradictions from the split to the gates."""
    _check_split(view)
    _check_task(view)
    _check_metrics(view)
    _check_slices(view)
    gate = mapping(mapping(view.data.get("gates")).get("data"))
    warn, alarm = gate.get("psi_warn", 0.1), gate.get("psi_alarm", 0.25)
    if isinstance(warn, int | float) and isinstance(alarm, int | float) and warn > alarm:
        where: Path = ("gates", "data", "psi_warn" if "psi_warn" in gate else "psi_alarm")
        view.document.add(
            where, f"`psi_warn` {warn} and `psi_alarm` {alarm}", "`psi_warn` at most `psi_alarm`"
        )


def _check_split(view: View) -> None:
    split, document = mapping(view.data.get("split")), view.document
    method = split.get("method")
    by = column_list(split.get("by"))
    refused = column_list(split.get("refuse"))
    needs_time = "`time`: the column of the label's source to split by"
    if method == "time" and view.time is None:
        document.add(("split", "method"), "`time`, but the project has no `time`", needs_time)
    if "future" in refused and view.time is None:
        document.add(("split", "refuse"), "`future`, but the project has no `time`", needs_time)
    if method == "entity" and not by and not view.entity:
        document.add(("split", "method"), "`entity`, but there is no entity", "`entity` or `split.by`")
    if "entity" in refused and not by and not view.entity:
        document.add(("split", "refuse"), "`entity`, but there is no entity", "`entity` or `split.by`")
    if method == "stratified" and view.data.get("task") == "regression":
        expected = "`time`, `entity` or `auto` where the label is a number"
        document.add(("split", "method"), "`stratified` for a regression", expected)
    view.check_columns(view.label_source, by, ("split", "by"))


def _check_task(view: View) -> None:
    task, document = view.data.get("task"), view.document
    if task == "regression":
        if view.label.get("positive") is not None:
            expected = "`positive` only for a binary task"
            document.add(("label", "positive"), "given for a regression", expected)
        if mapping(view.data.get("model")).get("class_weight") is not None:
            expected = "`class_weight` only for classes"
            document.add(("model", "class_weight"), "given for a regression", expected)
    if task == "ranking" and mapping(view.data.get("evaluation")).get("group") is None:
        document.add(
            ("task",), "`ranking` without `evaluation.group`", "the column whose rows are ranked together"
        )


def _metric_places(view: View) -> list[tuple[Path, Any]]:
    evaluation = mapping(view.data.get("evaluation"))
    places: list[tuple[Path, Any]] = [(("evaluation", "primary"), evaluation.get("primary"))]
    metrics = evaluation.get("metrics")
    for index, metric in enumerate(metrics if isinstance(metrics, list) else []):
        places.append((("evaluation", "metrics", index), metric))
    for kind, index, bound in _bounds(view):
        places.append((("gates", "model", kind, index, "metric"), bound.get("metric")))
    return places


def _bounds(view: View) -> list[tuple[str, int, dict[str, Any]]]:
    gate = mapping(mapping(view.data.get("gates")).get("model"))
    found: list[tuple[str, int, dict[str, Any]]] = []
    for kind in ("thresholds", "changes"):
        given = gate.get(kind)
        for index, bound in enumerate(given if isinstance(given, list) else []):
            found.append((kind, index, mapping(bound)))
    return found


def _check_metrics(view: View) -> None:
    task = view.data.get("task")
    fitting = METRICS.get(task) if isinstance(task, str) else None
    group = mapping(view.data.get("evaluation")).get("group")
    known = {m for metrics in METRICS.values() for m in metrics}
    for place, metric in _metric_places(view):
        if metric == "ndcg" and group is None and task != "ranking":
            expected = "`task: ranking` and `evaluation.group`: the column whose rows are ranked together"
            view.document.add(place, "`ndcg` without a group", expected)
        elif fitting and isinstance(metric, str) and metric in known and metric not in fitting:
            expected = f"one of {listed(list(fitting))}"
            view.document.add(place, f"`{metric}`, which does not fit the task `{task}`", expected)


def _check_slices(view: View) -> None:
    given = view.data.get("slices")
    columns: list[str] = []
    for index, part in enumerate(given if isinstance(given, list) else []):
        column, edges = mapping(part).get("column"), mapping(part).get("edges")
        if isinstance(column, str):
            if column in columns:
                view.document.add(("slices", index, "column"), f"{column!r} twice", "each column once")
            columns.append(column)
        numbers = [e for e in edges if isinstance(e, int | float)] if isinstance(edges, list) else []
        if numbers != sorted(set(numbers)) or edges == []:
            view.document.add(
                ("slices", index, "edges"), "edges out of order", "at least one, each greater than the last"
            )
    for kind, index, bound in _bounds(view):
        name = bound.get("slice", "overall")
        column = str(name).partition("=")[0]
        if not isinstance(name, str) or name in ("overall", "*") or column in columns:
            continue
        if name.partition(":")[0] == "long_tail":
            continue
        where: Path = ("gates", "model", kind, index, "slice")
        expected = "`overall`, `*` or `column=value`" + (f" with {listed(columns)}" if columns else "")
        remedy = did_you_mean(column, [*columns, "overall"])
        if "=" in name and not columns:
            remedy = f"Add `- column: {column}` to `slices`."
        view.document.add(where, f"slice {name!r}, which `slices` does not make", expected, remedy)
