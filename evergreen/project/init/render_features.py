"""The rows of a rendered project file (whom, when, the label) and the features."""

from collections.abc import Mapping

from evergreen.project.document import flow
from evergreen.project.init.comments import comment, plain
from evergreen.project.init.plan import Joined, Plan
from evergreen.project.model import format_duration

MOST_NUMBERS, MOST_TEXTS = 8, 4
"""Columns of a further table that are aggregated."""


def rows(plan: Plan) -> list[str]:
    """The sections `entity`, `time`, `label` and `task`."""
    lines: list[str] = []
    entity = plan.asked.entity
    if entity:
        named = flow(entity[0] if len(entity) == 1 else list(entity))
        lines += ["# Whom or what a row is about.", f"entity: {named}"]
    if plan.clock:
        seen = f"{plan.clock.first:%Y-%m-%d} to {plan.clock.last:%Y-%m-%d}"
        lines.append(f"# As of when a row asks; no feature may be later. Seen: {seen}.")
        if plan.clock.missing:
            lines += comment(f"({plan.clock.missing:,} rows have no time.)")
        lines.append(f"time: {flow(plan.clock.column)}")
    return [*lines, "", *_label(plan)] if lines else _label(plan)


def _label(plan: Plan) -> list[str]:
    target = plan.target
    lines = comment(f"What is predicted: {target.why}.")
    without = plan.table.rows - target.labelled
    if without:
        lines += comment(f"{without:,} rows have no label and stay out of training.")
    lines += ["label:", f"  source: {plan.table.name}", f"  column: {flow(target.column)}"]
    if target.positive is not None:
        lines += ["  # The class whose probability the model gives.", f"  positive: {flow(target.positive)}"]
    if plan.key:
        lines += [*comment(f"What names a row: {plan.key_why}.", "  "), f"  key: {flow(list(plan.key))}"]
    if plan.clock:
        said = "If the label is known only some time after `time`, say how much: younger rows stay out."
        lines += [*comment(said, "  "), "  # maturity: 30d"]
    amount = plan.table.columns[target.column].kind in ("integer", "number")
    hint = " # `regression` if the label is an amount rather than a class"
    lines.append(f"task: {target.task}" + (hint if target.task == "multiclass" and amount else ""))
    return lines


def features(plan: Plan) -> list[str]:
    """The section `features`."""
    lines = ['# `"*"`: every column that is not the label, the time, the entity or a key.', "features:"]
    if plan.features:
        lines += [f"  - name: {plan.table.name}", f"    source: {plan.table.name}", '    columns: "*"']
        lines += _excluded({c: r for c, r in plan.exclude.items() if c not in plan.key})
    for joined in plan.joined:
        lines += [f"  - name: {joined.table.name}", f"    source: {joined.table.name}"]
        lines += _aggregates(joined) if joined.clock else _constants(joined)
    return lines


def _excluded(reasons: Mapping[str, str]) -> list[str]:
    lines = [f"      - {flow(column)} # {plain(reason)}" for column, reason in reasons.items()]
    return ["    exclude:", *lines] if lines else []


def _constants(joined: Joined) -> list[str]:
    said = comment("One row for each entity, without a time: joined as a constant.", "    ")
    return [*said, '    columns: "*"', *_excluded(joined.exclude)]


def _aggregates(joined: Joined) -> list[str]:
    windows = flow([format_duration(w) for w in joined.windows])
    lines = comment(
        "Computed for each row of the label over the rows known by its time, in windows that end there.",
        "    ",
    )
    lines += ["    aggregates:", "      - functions: [count]", f"        windows: {windows}"]
    lines.append("      - functions: [recency] # days since the last row")
    usable = [c for c in joined.columns if c.name not in joined.exclude]
    numbers = [c for c in usable if c.kind == "number" or (c.kind == "integer" and c.distinct > 2)]
    texts = [c for c in usable if c.kind == "text"]
    chosen = [(c, "sum, mean") for c in numbers[:MOST_NUMBERS]] + [
        (c, "distinct") for c in texts[:MOST_TEXTS]
    ]
    for column, functions in chosen:
        lines += [f"      - column: {flow(column.name)}", f"        functions: [{functions}]"]
        lines.append(f"        windows: {windows}")
    return lines
