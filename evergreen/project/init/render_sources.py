"""The sources of a rendered project file, and what happens to values in them that do not fit."""

from collections.abc import Sequence

from evergreen.project.document import flow
from evergreen.project.init.comments import comment
from evergreen.project.init.plan import Plan
from evergreen.project.init.survey import FEW, Column, Table, policy
from evergreen.project.init.times import Clock
from evergreen.repair.policyfile import policy_lines
from evergreen.tables import identifier


def sources(plan: Plan, paths: dict[str, str]) -> list[str]:
    """The section `sources`."""
    lines = comment(
        "The tables. A path may be local (from this file's folder), s3:// or gs://, and hold `*`."
    )
    lines.append("sources:")
    for table, clock, numbered in _tables(plan):
        lines += _source(plan, table, clock, paths[table.name], numbered)
    return lines


def _tables(plan: Plan) -> list[tuple[Table, Clock | None, bool]]:
    """Each table with its time, and whether its rows must be numbered."""
    return [(plan.table, plan.clock, plan.numbered), *((j.table, j.clock, False) for j in plan.joined)]


def _file_source(table: Table, clock: Clock | None, numbered: bool) -> str:
    """The name of the source that reads the file; a query over it, if one is needed, has the table's name."""
    return f"{table.name}_file" if numbered or (clock and clock.sql) else table.name


def _source(plan: Plan, table: Table, clock: Clock | None, path: str, numbered: bool) -> list[str]:
    name = _file_source(table, clock, numbered)
    lines = [f"  {name}:", f"    path: {flow(path)}"]
    types = _types(plan, table, clock)
    if types:
        lines += comment(
            "What the columns hold. A value that does not fit stops the run; see `repair`.", "    "
        )
        lines += ["    types:", *(f"      {flow(c)}: {t}" for c, t in types.items())]
    if clock and not clock.sql:
        lines.append(f"    time: {flow(clock.column)}")
        if table is not plan.table:
            lines += comment("How much later than its time a row becomes known:", "    ")
            lines.append("    # delay: 1d")
    return lines + (_query(table, clock, numbered, name) if name != table.name else [])


def _query(table: Table, clock: Clock | None, numbered: bool, file: str) -> list[str]:
    items = "*"
    lines = [f"  {table.name}:"]
    if clock and clock.sql:
        lines += comment(f"`{clock.column}`: {clock.why}.", "    ")
        items = f"* REPLACE ({clock.sql} AS {identifier(clock.column)})"
    if numbered:
        lines += comment("Rows get a number, because no columns of the table name them.", "    ")
        items += ", row_number() OVER () AS row_number"
    lines.append(f"    sql: {flow(f'SELECT {items} FROM {file}')}")
    return lines + ([f"    time: {flow(clock.column)}"] if clock else [])


def _types(plan: Plan, table: Table, clock: Clock | None) -> dict[str, str]:
    """Types where a CSV file leaves room for doubt: words, and the columns that name things or are predicted.

    Plain numbers and times are found from all rows whenever the file is read.
    """
    types = {c: "text" for c in plan.asked.entity if c in plan.texts and c in table.columns}
    if table.format != "csv":
        return types
    exact = {*plan.asked.entity, plan.asked.label, *plan.key}
    if clock is not None and clock.sql:
        exact.add(clock.column)
    for column in table.columns.values():
        named = column.name in exact or column.kind in ("text", "boolean")
        settled = column.name in table.mixed or column.name in table.messy.policies
        doubtful = not column.written and column.given and not settled
        if named and doubtful and column.name not in types:
            types[column.name] = _type(column)
    return types


def _type(column: Column) -> str:
    if column.kind == "text":
        return "category" if column.distinct <= FEW else "text"
    return str(column.kind)


def repair(plan: Plan) -> list[str]:
    """The section `repair`; empty when every value fits."""
    lines: list[str] = []
    for table, clock, numbered in _tables(plan):
        file, mixed, late = _file_source(table, clock, numbered), _mixed(table), _late(clock)
        messy = _messy(table, clock)
        if clock is not None and clock.column in table.messy.policies:
            late = []
        in_query = clock is not None and bool(clock.sql)
        lines += _policies(file, messy + mixed + ([] if in_query else late))
        lines += _policies(table.name, late if in_query else [])
    said = comment(
        "What happens to values that are written wrongly (`evergreen repair FILE` shows it), or do not fit:"
        " `invalid` is fail, missing, drop (the row), or quarantine (set it aside, with the reason)."
    )
    return [*said, "repair:", *lines] if lines else []


def _messy(table: Table, clock: Clock | None) -> list[str]:
    """A policy for each messy column, with what it does."""
    lines: list[str] = []
    for column, given in table.messy.policies.items():
        late = clock is not None and clock.column == column and clock.future
        chosen = given.model_copy(update={"future": "drop"}) if late else given
        lines += [*comment(table.messy.why[column], "    "), *policy_lines({column: chosen})]
    return lines


def _mixed(table: Table) -> list[str]:
    lines: list[str] = []
    for column, finding in table.mixed.items():
        others, type_ = finding.values - finding.fitting, policy(finding).type
        said = f"{others:,} of {finding.values:,} values of `{column}` are no {type_}: they count as missing."
        lines += [*comment(said, "    "), f"    {flow(column)}: {{type: {type_}, invalid: missing}}"]
    return lines


def _late(clock: Clock | None) -> list[str]:
    if clock is None or not clock.future:
        return []
    said = f"{clock.future:,} rows lie in the future: they are left out."
    return [*comment(said, "    "), f"    {flow(clock.column)}: {{future: drop}}"]


def _policies(source: str, lines: Sequence[str]) -> list[str]:
    return [f"  {source}:", *lines] if lines else []
