"""Values that the baseline never held, in columns whose values it lists and no domain watches."""

from collections.abc import Collection, Sequence

from evergreen.findings import Finding, no, rows_text, softened
from evergreen.profile.counting.reading import Reader
from evergreen.profile.model import Column
from evergreen.profile.schema.model import Schema
from evergreen.profile.validation.chance import level, unseen_rows
from evergreen.profile.validation.drift import new_values_floor
from evergreen.profile.validation.samples import Sampler
from evergreen.project.model import DataGate
from evergreen.reports.text import number, percent
from evergreen.tables import literal

# New values in more rows than this are an alarm, in fewer a warning, if they are more than chance explains.
_ALARM = 0.1
_LOOKED = 2000
_SHOWN = 5


def new_values(
    sampler: Sampler, columns: Sequence[Reader], pairs: Sequence[tuple[Column, Column]], schema: Schema,
    gate: DataGate, told: Collection[str],
) -> list[Finding]:  # fmt: skip
    """Texts, and numbers of few values, that make up more of the table than chance lets new ones make up.

    Two things are looked at: how many rows hold any new value, against Good's estimate of how many do by
    chance, and how many hold one and the same new value.

    Args:
        sampler: Reads the table, and names rows by key.
        columns: The table's columns.
        pairs: Columns of the baseline, each with the table's in the baseline's layout.
        schema: For its tolerance: fewer rows pass the first look.
        gate: For its drift mode.
        told: Columns whose new values have a finding already.
    """
    readers = {r.name: r for r in columns}
    listed = [
        (old, new)
        for old, new in pairs
        if old.family in ("text", "number") and old.values and old.values.complete and new.values and new.rows
    ]
    found = []
    for old, new in listed:
        if old.name in told:
            continue
        finding = _finding(sampler, readers[old.name], old, new, schema.tolerance, gate, len(listed))
        found += [finding] if finding else []
    return found


def _finding(
    sampler: Sampler, reader: Reader, old: Column, new: Column, tolerance: float, gate: DataGate, tests: int
) -> Finding | None:
    assert old.values and new.values
    count, share = new.values.other, new.values.other / new.rows
    bound = max(tolerance, new_values_floor(old, new.rows))
    fewest = unseen_rows(new.rows, old.rows, level("domain", tests))
    if count < fewest:
        return None
    known = {v for v, _ in old.values.items}
    query = f"SELECT {reader.value} AS v, count(*) AS n FROM {sampler.relation} GROUP BY v ORDER BY n DESC, v"
    rows = sampler.con.execute(f"{query} LIMIT {_LOOKED}").fetchall()
    unseen = [(v, int(n)) for v, n in rows if v is not None and v not in known]
    # Each of these values could have been the new one: the level is shared among them.
    one = unseen_rows(new.rows, old.rows, level("domain", tests) / max(1, len(unseen)))
    # Numbers of few values may be the beginning of a long tail: there a single value has to stand out.
    chance = fewest + new_values_floor(old, new.rows) * new.rows
    many = share > bound and count >= chance and reader.family == "text"
    if not many and not (unseen and unseen[0][1] >= one):
        return None
    shown = unseen[:_SHOWN]
    condition = " OR ".join(f"{reader.value} = {literal(v)}" for v, _ in shown)
    words = f"{rows_text(count, new.rows)} of column {reader.name!r} hold values new to the baseline"
    return no(
        "new values", reader.name, gate.drift if share > max(bound, _ALARM) else softened(gate.drift),
        f"{words}; chance explains {percent(new_values_floor(old, new.rows))}", observed=share,
        threshold=bound, count=count, share=share, keys=sampler.keys(condition) if condition else (),
        examples=tuple(f"{v} ({number(n)})" for v, n in shown),
    )  # fmt: skip
