"""The model card: what a person should know before using the model; Markdown, made of facts alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evergreen.bundle.signature import Signature
from evergreen.modeling.columns import ColumnPlan
from evergreen.project.model import Project

_SMALL = 10_000
_RARE = 100
_MOST_FEATURES = 200


@dataclass(frozen=True)
class CardFacts:
    """What a card is made of: project, the split's `meta.json`, signature, columns, `training.json`."""

    project: Project
    meta: Mapping[str, Any]
    signature: Signature
    plan: ColumnPlan
    training: Mapping[str, Any]
    warnings: Sequence[str] = ()


def model_card(facts: CardFacts) -> str:
    """Write the card; no clock, so the same training gives the same text."""
    sections = [
        ("Purpose", _purpose(facts)),
        ("Data", _data(facts)),
        ("Model", _model(facts)),
        ("Features", _features(facts)),
        ("Limitations", [f"- {sentence}" for sentence in limitations(facts)]),
        ("Made with", [f"- {name} {v}" for name, v in facts.training["packages"].items()]),
    ]
    text = f"# Model card: {_cell(facts.project.name)}\n"
    for title, lines in sections:
        text += f"\n## {title}\n\n" + "\n".join(lines) + "\n"
    return text


def _purpose(facts: CardFacts) -> list[str]:
    scoping, signature = facts.project.scoping, facts.signature
    task = f"- Task: {signature.task}; predicts `{_cell(signature.label)}`"
    if signature.classes is not None:
        task += f" (classes {', '.join(f'`{_cell(c)}`' for c in signature.classes[:20])})"
    if signature.positive is not None:
        task += f", positive is `{_cell(signature.positive)}`"
    lines = [task]
    for name, value in (
        ("Problem", scoping.problem),
        ("Users", scoping.users),
        ("Aim", scoping.topline_metric),
    ):
        if value:
            lines.append(f"- {name}: {_cell(value)}")
    return lines


def _data(facts: CardFacts) -> list[str]:
    split, source = facts.meta["split"], facts.training["training_set"]
    lines = [
        f"- Training set `{_cell(source['name'])}`, digest `{source['digest']}`, {source['rows']} rows",
        f"- Split by {split['method']}"
        + (f" ({', '.join(map(_cell, split['by'][:5]))})" if split["by"] else ""),
        f"- Fitted on {facts.training['rows']} rows",
        "",
    ]
    rows = [
        (part, split["rows"][part], _span(split["spans"][part]), _counts(split["label_counts"][part]))
        for part in ("train", "validation", "test")
    ]
    return lines + _table(("Part", "Rows", "From - to", "Rows by class"), rows)


def _model(facts: CardFacts) -> list[str]:
    training = facts.training
    lines = [f"- Estimator: `{training['estimator']}`", f"- Seed: {training['seed']}"]
    lines += [f"- Transform: {_cell(step)}" for step in training["transform"]]
    lines += [f"- Parameter `{_cell(name)}`: `{_cell(value)}`" for name, value in training["params"].items()]
    tuning = training["tuning"]
    if tuning is None:
        return [*lines, "- Tuning: none"]
    best = tuning["best"]
    found = (
        f"best {tuning['metric']} {best['value']:.6g}"
        if best
        else "none complete, so the parameters are as given"
    )
    lines.append(f"- Tuning: {tuning['trials']} trials in {len(tuning['stopped'])} studies, {found}")
    tuned = best["params"] if best else {}
    return lines + [f"- Tuned `{_cell(name)}`: `{_cell(value)}`" for name, value in tuned.items()]


def _features(facts: CardFacts) -> list[str]:
    inputs = facts.signature.inputs
    rows = [
        (i.name, i.type, "required" if i.required else "may be missing", facts.plan.distinct.get(i.name, ""))
        for i in inputs[:_MOST_FEATURES]
    ]
    lines = _table(("Feature", "Type", "Given", "Categories"), rows)
    if len(inputs) > _MOST_FEATURES:
        lines.append(f"\nand {len(inputs) - _MOST_FEATURES} more, see `signature.json`")
    lines += _selection(facts)
    if facts.plan.dropped:
        reasons = (f"- `{_cell(n)}`: {_cell(r)}" for n, r in facts.plan.dropped.items())
        lines += ["", "Left out:", "", *reasons]
    return lines


def _selection(facts: CardFacts) -> list[str]:
    """What select_features found, where it ran: how many stay, and what leaving out the others does."""
    chosen = facts.training.get("selection")
    if not chosen:
        return []
    lines = ["", f"Selected: {chosen['kept']} features kept, {len(chosen['dropped'])} left out."]
    quality, sample = chosen["quality"], chosen["sample"]
    if quality:
        lines.append(
            f"A quick model on {sample['rows']} of {sample['of']} training rows, out of fold: "
            f"{quality['metric']} {quality['all']:.4f} with all {quality['looked_at']} features looked at, "
            f"{quality['kept']:.4f} without the {quality['left_out']} that do not help; difference in loss "
            f"{quality['worse']:.4g} ({_bound(quality['worse_low'])} to {_bound(quality['worse_high'])})."
        )
    return lines


def _bound(value: float | None) -> str:
    return "no bound" if value is None else f"{value:.4g}"


def limitations(facts: CardFacts) -> list[str]:
    """What limits the model, as far as the facts tell."""
    split, rows = facts.meta["split"], facts.training["rows"]
    found = []
    if rows < _SMALL:
        found.append(f"Small data: {rows} rows; differences of a few points between models may be chance.")
    counts = split["label_counts"]["train"] or {}
    rare = [f"`{_cell(name)}` ({n})" for name, n in counts.items() if n < _RARE]
    if rare:
        found.append(f"Classes with fewer than {_RARE} training rows: {', '.join(rare[:10])}.")
    span = split["spans"]["train"]
    if span:
        found.append(f"It has seen nothing later than {span[1]}.")
    if split["method"] != "time":
        found.append("The split is not by time: the test part says nothing about how the model ages.")
    leaks = split["leaks"]
    if leaks["entities"]:
        found.append(
            f"{leaks['entities']} entities stand in more than one part, so test results lean upwards."
        )
    if facts.signature.classes is not None:
        found.append("Probabilities are as the estimator gives them, not calibrated afterwards.")
    found += [f"In training: {_cell(w)}" for w in facts.warnings]
    return found


def _span(span: Sequence[str] | None) -> str:
    return f"{span[0]} - {span[1]}" if span else ""


def _counts(counts: Mapping[str, int] | None) -> str:
    items = list((counts or {}).items())
    return ", ".join(f"{k}: {v}" for k, v in items[:10]) + (", …" if len(items) > 10 else "")


def _table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [f"| {' | '.join(headers)} |", f"|{'---|' * len(headers)}"]
    return lines + [f"| {' | '.join(_cell(v) for v in row)} |" for row in rows]


def _cell(value: object) -> str:
    """A value inside a line of Markdown: no line break, no pipe, no HTML, no backtick."""
    text = " ".join(str(value).split())
    for old, new in (("|", "\\|"), ("<", "&lt;"), ("`", "'")):
        text = text.replace(old, new)
    return text
