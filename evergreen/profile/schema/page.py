"""A schema as a page: what each column is held to, and what this run's table would change."""

from collections.abc import Sequence

from evergreen.profile.schema.changes import SchemaChange
from evergreen.profile.schema.model import ColumnSchema, Schema
from evergreen.reports import charts
from evergreen.reports.page import Section, details, figure, note, page, pre, table, tiles
from evergreen.reports.text import number, percent

_SHOWN = 6


def schema_page(schema: Schema, changes: Sequence[SchemaChange] | None) -> str:
    """The page.

    Args:
        schema: What the table is held to.
        changes: From the baseline's schema to the one that this run's table alone would give; None where
            there is no baseline.
    """
    sections = [
        Section("Overview", [tiles(_overview(schema)), *_remarks(changes)]),
        Section("Against the baseline", _against(changes)),
        Section("Columns", [*_presence(schema), _columns(schema)]),
        Section("History", _history(schema)),
        Section("File", [details("schema.yaml", pre(schema.to_yaml()))]),
    ]
    return page("Schema", sections, subtitle=f"version {schema.version}, {len(schema.columns)} columns")


def _overview(schema: Schema) -> dict[str, object]:
    return {
        "Columns": len(schema.columns),
        "Version": schema.version,
        "Key": ", ".join(schema.key) or "none",
        "With a domain": sum(c.domain is not None for c in schema.columns),
        "With a range": sum(c.minimum is not None or c.maximum is not None for c in schema.columns),
        "Unique": sum(c.unique for c in schema.columns),
        "Inferred from": (schema.rows, "rows") if schema.rows else "a person",
    }


def _remarks(changes: Sequence[SchemaChange] | None) -> list[str]:
    if changes is None:
        words = "There is no baseline yet: this schema was inferred from the table. Read it, and edit it."
        return [note(words)]
    return []


def _against(changes: Sequence[SchemaChange] | None) -> list[str]:
    if changes is None:
        return []
    if not changes:
        return [note("The table alone would give the same schema as the baseline's.", "pass")]
    rows = [(c.column, c.field, c.before, c.after) for c in changes]
    words = "What this table alone would give is different; the baseline's schema is used all the same."
    headers = ("Column", "Field", "Baseline", "This table")
    return [note(words), table(headers, rows, caption="From the baseline's schema to this table's")]


def _presence(schema: Schema) -> list[str]:
    bound = [(c.name, c.max_missing) for c in schema.columns if c.max_missing < 1]
    if not bound:
        return []
    ranked = sorted(bound, key=lambda pair: -pair[1])[:20]
    title = "Share of rows that may be missing"
    return [figure(charts.bars([n for n, _ in ranked], [s for _, s in ranked], title))]


def _columns(schema: Schema) -> str:
    headers = ("Column", "Type", "Missing up to", "Domain", "Range", "Unique", "Where")
    rows = [
        (c.name, c.type, percent(c.max_missing) if c.max_missing < 1 else "any", _domain(c), _range(c),
         "unique" if c.unique else "key" if c.name in schema.key else "",
         ", ".join(c.environments) or "everywhere")
        for c in schema.columns
    ]  # fmt: skip
    return table(headers, rows, numeric={2}, caption="What each column is held to")


def _domain(column: ColumnSchema) -> str:
    if column.domain is None:
        return ""
    more = f" and {len(column.domain) - _SHOWN} more" if len(column.domain) > _SHOWN else ""
    return ", ".join(str(v)[:30] for v in column.domain[:_SHOWN]) + more


def _range(column: ColumnSchema) -> str:
    if column.minimum is None and column.maximum is None:
        return ""
    ends = [
        b if isinstance(b, str) else number(b) if b is not None else ""
        for b in (column.minimum, column.maximum)
    ]
    return f"{ends[0] or '−∞'} … {ends[1] or '∞'}"


def _history(schema: Schema) -> list[str]:
    if not schema.history:
        return []
    rows = [(r.version, r.command, r.at, r.by, "; ".join(r.changes)) for r in reversed(schema.history)]
    return [table(("Version", "Command", "At", "By", "Changes"), rows, numeric={0}, caption="Revisions")]
