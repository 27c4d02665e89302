"""The HTML report of a split."""

from evergreen.modeling.splitting.split import SplitResult
from evergreen.project.model import Project
from evergreen.reports.charts import histogram
from evergreen.reports.page import Section, details, figure, note, page, table, text, tiles
from evergreen.reports.text import number, percent

_MOST_CLASSES = 30


def split_page(project: Project, result: SplitResult) -> str:
    """What stands in each part, how the label is spread over them, and what stands on both sides."""
    rows = {part: s.rows for part, s in result.parts.items()}
    total = sum(rows.values())
    shown = {part.capitalize(): (number(n), percent(n / total)) for part, n in rows.items()}
    lines = [
        (part, s.rows, s.span[0] if s.span else "", s.span[1] if s.span else "")
        for part, s in result.parts.items()
    ]
    parts = table(("Part", "Rows", "First", "Last"), lines, numeric={1})
    how = [text(f"Split by {result.method}."), *([note(result.note)] if result.note else [])]
    return page(
        "Split",
        [
            Section("Parts", [tiles({**shown, "Method": result.method}), *how, parts]),
            Section("Label", _label_blocks(result)),
            Section("Leaks", _leak_blocks(project, result)),
        ],
        subtitle=f"{project.name}: {result.target.task}",
    )


def _label_blocks(result: SplitResult) -> list[str]:
    counts = {part: s.classes for part, s in result.parts.items() if s.classes is not None}
    if not counts:
        return [text("The label is a number; the profile shows its distribution.")]
    names = sorted({name for c in counts.values() for name in c})
    lines = [(name, *(c.get(name, 0) for c in counts.values())) for name in names]
    blocks: list[str] = [table(("Class", *counts), lines, numeric={1, 2, 3})]
    if len(names) <= _MOST_CLASSES:
        series = {part: [c.get(n, 0) / sum(c.values()) for n in names] for part, c in counts.items()}
        blocks.insert(0, figure(histogram(names, series, "Share of each class, by part")))
    return blocks


def _leak_blocks(project: Project, result: SplitResult) -> list[str]:
    leaks, refused = result.leaks, project.split.refuse
    blocks: list[str] = []
    if leaks.entities is not None:
        fate = "refused" if "entity" in refused else "not refused by this project"
        kind = "warn" if leaks.entities else "pass"
        blocks.append(note(f"{number(leaks.entities)} entities stand in more than one part ({fate}).", kind))
    if leaks.future_rows is not None:
        fate = "refused" if "future" in refused else "not refused by this project"
        kind = "warn" if leaks.future_rows else "pass"
        sentence = f"{number(leaks.future_rows)} training rows are later than the first test row ({fate})."
        blocks.append(note(sentence, kind))
    samples = [*leaks.entity_samples, *leaks.future_samples]
    if samples:
        blocks.append(details("Keys of a few", table(("Key",), [(s,) for s in samples])))
    return blocks or [text("The table has neither an entity nor a time, so there is nothing to check.")]
