"""A plan as the text of a project file, with comments that say why."""

from evergreen.project.document import flow
from evergreen.project.init.comments import comment, plain
from evergreen.project.init.plan import TEST, VALIDATION, Plan
from evergreen.project.init.render_features import features, rows
from evergreen.project.init.render_sources import repair, sources

MIN_SHARE = 0.5
"""A training set of less than this share of today's rows stops a run."""


def render(plan: Plan, name: str, paths: dict[str, str]) -> str:
    """The whole file.

    Args:
        plan: The choices.
        name: The project's name.
        paths: For each table's name, the path as it shall stand in the file.
    """
    sections = [
        _head(plan, name),
        sources(plan, paths),
        rows(plan),
        features(plan),
        repair(plan),
        _split(plan),
        _model(plan),
        _evaluation(plan),
        _slices(plan),
        _gates(plan),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _head(plan: Plan, name: str) -> list[str]:
    label = plain(plan.target.column)
    return [
        *comment(
            f"Written by `evergreen init` from what it saw in the data: predicts `{label}`. It runs as it is;"
            " every choice is yours to change, and docs/project-file.md explains every field."
        ),
        "#   evergreen check project.yaml",
        "#   evergreen run train --project project.yaml",
        "version: 1",
        f"name: {flow(name)}",
        "",
        "# Why the model exists, for people and for the report. Worth filling in first.",
        "# scoping:",
        "#   problem: What goes wrong today, and for whom",
        "#   topline_metric: The number that the business looks at",
        f"#   label_metric: How well `{label}` is predicted",
        "#   relation: Why the second moves the first",
    ]


def _split(plan: Plan) -> list[str]:
    lines = comment(f"How rows become training, validation and test: {plan.split_why}.")
    lines += ["split:", f"  method: {plan.split}", f"  validation: {VALIDATION}", f"  test: {TEST}"]
    refused = {"time": "future", "entity": "entity"}.get(plan.split)
    if refused:
        lines.append(f"  refuse: [{refused}] # a leak that stops the run")
    return lines


def _model(plan: Plan) -> list[str]:
    lines = comment(
        "`auto` is gradient boosting for the task; any scikit-learn estimator can stand here by its import"
        " path, such as sklearn.linear_model.LogisticRegression."
    )
    lines += ["model:", "  estimator: auto"]
    if plan.max_rows:
        lines += comment("Rows to train on at most, drawn at random: it bounds the memory.", "  ")
        lines.append(f"  max_rows: {plan.max_rows}")
    if plan.target.task == "binary" and plan.target.classes[-1][1] < 0.1 * plan.target.labelled:
        lines += comment("One class is rare. To weigh it as much as the other:", "  ")
        lines.append("  # class_weight: balanced")
    return [
        *lines,
        "  # A search over the estimator's parameters, seeded, in `parallel` studies:",
        "  # tune:",
        "  #   trials: 20",
        "  #   parallel: 2",
        "  #   timeout: 10m",
        "  #   space:",
        "  #     learning_rate: {low: 0.02, high: 0.3, log: true}",
        "  #     max_leaf_nodes: {low: 7, high: 63, integer: true}",
        "  #     min_samples_leaf: {low: 5, high: 100, integer: true}",
    ]


def _evaluation(plan: Plan) -> list[str]:
    primary = {"binary": "roc_auc", "multiclass": "balanced_accuracy", "regression": "rmse"}
    return [
        *comment(
            "`primary` leads in reports and in tuning; `metrics` is by default every one that fits the task."
        ),
        "evaluation:",
        f"  primary: {primary[plan.target.task]}",
    ]


def _slices(plan: Plan) -> list[str]:
    if not plan.slices:
        return []
    said = comment(
        "Where the model might be worse than on the whole. A number is sliced by ranges: `edges: [18, 40]`."
    )
    return [*said, "slices:", *(f"  - column: {flow(c)}" for c in plan.slices)]


def _gates(plan: Plan) -> list[str]:
    metric, least, loss, why = _first_gate(plan)
    lines = comment(
        "What stops a run: `fail` stops, `warn` reports, `off` records only. `thresholds` are absolute;"
        " `changes` compare with the model in production on the same rows; without one they are skipped."
    )
    half = max(1, int(plan.target.labelled * MIN_SHARE))
    lines += ["gates:", "  data:", "    mode: fail"]
    lines.append(f"    min_rows: {half} # half of today's labelled rows")
    if any(j.clock for j in plan.joined):
        lines.append("    max_missing: 1 # an aggregate is missing where a window holds no row")
    lines += ["    drift: warn", "  model:", "    mode: fail", "    thresholds:"]
    lines.append(f"      - {{metric: {metric}, min: {least}}} # better than no model: {why}")
    if plan.slices:
        lines.append(f'      # - {{metric: {metric}, min: {least}, slice: "*"}} # in every slice')
    return [*lines, "    changes:", f"      - {{metric: {metric}, max_loss: {loss}}}"]


def _first_gate(plan: Plan) -> tuple[str, float, float, str]:
    """A metric, the value of the trivial predictor, how much a successor may lose, and why."""
    if plan.target.task == "binary":
        return "roc_auc", 0.5, 0.02, "0.5 is a coin"
    if plan.target.task == "regression":
        return "r2", 0.0, 0.03, "0 is the mean for every row"
    trivial = 1 / max(2, len(plan.target.classes))
    return "balanced_accuracy", int(trivial * 1000) / 1000, 0.03, "that is one class for every row"
