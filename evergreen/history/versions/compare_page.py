"""What changed between two tables, as lines for a terminal and as a page."""

from collections.abc import Iterator

from evergreen.history.versions.compare import Compared
from evergreen.reports.charts import bars
from evergreen.reports.page import Section, figure, note, page, table, tiles
from evergreen.reports.text import number, percent

_BARS = 30


def lines(compared: Compared) -> Iterator[str]:
    """The difference as text."""
    c = compared.changes
    yield f"{compared.before} ({number(c.before)} rows) → {compared.after} ({number(c.after)} rows)"
    if c.remark:
        yield c.remark
    if c.same:
        yield "no difference"
        return
    for column in c.columns:
        types = " → ".join(t for t in (column.before, column.after) if t)
        yield f"  column {column.name} {column.change}: {types}"
    yield f"  rows added {number(c.added)}, removed {number(c.removed)}, changed {number(c.changed)}"
    for name, rows in c.by_column.items():
        yield f"  {name}: {number(rows)} rows differ"
    for s in c.samples:
        value = f" {s.column}: {s.before} → {s.after}" if s.column else ""
        yield f"    {s.change} {s.key}{value}"


def changes_page(compared: Compared) -> str:
    """The page of a difference."""
    c = compared.changes
    named = f"rows named by {', '.join(c.key)}" if c.key else "whole rows compared"
    overview = {
        "Rows": (c.after, f"before: {number(c.before)}"),
        "Added": (c.added, share(c.added, c.after)),
        "Removed": (c.removed, share(c.removed, c.before)),
        "Changed": (c.changed, share(c.changed, c.before)),
        "Columns": (len(c.columns), "added, removed or of another type"),
    }
    columns = [(x.name, x.change, x.before, x.after) for x in c.columns]
    rows = [(s.change, s.key, s.column, s.before, s.after) for s in c.samples]
    sections = [
        Section("Overview", [tiles(overview), *([note(c.remark)] if c.remark else [])]),
        Section("Columns", [table(("Column", "Change", "Before", "After"), columns)] if columns else []),
        Section("Rows that differ, by column", [figure(_chart(compared))] if c.by_column else []),
        Section(
            "Some of the rows", [table(("Change", "Row", "Column", "Before", "After"), rows)] if rows else []
        ),
    ]
    title = f"{compared.before} → {compared.after}"
    verdict = "No difference" if c.same else ""
    return page(title, sections, subtitle=named, status="pass" if c.same else "none", verdict=verdict)


def share(rows: int, every: int) -> str:
    """Rows as a share of all."""
    return percent(rows / every) if every else ""


def _chart(compared: Compared) -> str:
    shown = list(compared.changes.by_column.items())[:_BARS]
    return bars([name for name, _ in shown], [float(n) for _, n in shown], "Rows that differ, by column")
