"""Values that the baseline never held, in columns that no domain of the schema watches."""

from collections.abc import Sequence

from evergreen.decisions import Mode
from evergreen.findings import Finding, no, rows_text, softened
from evergreen.profile.counting.reading import Reader
from evergreen.profile.model import Column
from evergreen.profile.schema.model import Schema
from evergreen.profile.validation.drift import new_values_floor
from evergreen.profile.validation.samples import Sampler
from evergreen.project.model import DataGate
from evergreen.reports.text import percent
from evergreen.tables import literal

# New values in more rows than this are an alarm, in fewer a warning, if they are more than chance explains.
_ALARM = 0.1


def new_values(
    sampler: Sampler, columns: Sequence[Reader], pairs: Sequence[tuple[Column, Column]], schema: Schema,
    gate: DataGate,
) -> list[Finding]:  # fmt: skip
    """Texts that make up more of the table than chance lets new texts make up.

    Args:
        sampler: Reads the table, and names rows by key.
        columns: The table's columns.
        pairs: Columns of the baseline, each with the table's in the baseline's layout.
        schema: Columns with a domain are left to it; fewer rows than its tolerance pass.
        gate: For its drift mode.
    """
    readers = {r.name: r for r in columns}
    found = []
    for old, new in pairs:
        wanted = schema.by_name.get(old.name)
        listed = old.family == "text" and old.values and old.values.complete
        if listed and new.rows and not (wanted and wanted.domain is not None):
            bound = max(schema.tolerance, new_values_floor(old, new.rows))
            finding = _finding(sampler, readers[old.name], old, new, bound, gate.drift)
            found += [finding] if finding else []
    return found


def _finding(
    sampler: Sampler, reader: Reader, old: Column, new: Column, bound: float, mode: Mode
) -> Finding | None:
    assert old.values and new.values
    count, share = new.values.other, new.values.other / new.rows
    if share <= bound:
        return None
    known = ", ".join(literal(v) for v, _ in old.values.items)
    condition = f"{reader.value} NOT IN ({known})" if known else f"{reader.value} IS NOT NULL"
    words = f"{rows_text(count, new.rows)} of column {reader.name!r} hold values new to the baseline"
    return no(
        "new values", reader.name, mode if share > max(bound, _ALARM) else softened(mode),
        f"{words}; the bound is {percent(bound)}", observed=share, threshold=bound, count=count, share=share,
        keys=sampler.keys(condition), examples=sampler.examples(reader, condition),
    )  # fmt: skip
