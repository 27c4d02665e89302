"""Findings from traits: single values, forms, precision, hours, gaps, lost relations, repeats."""

from collections.abc import Collection, Mapping, Sequence

from evergreen.findings import Finding, no, rows_text, softened
from evergreen.profile.counting.reading import Reader
from evergreen.profile.model import Column, Profile
from evergreen.profile.traits.model import Traits
from evergreen.profile.traits.observe import row_hash
from evergreen.profile.validation.association import Loosened, loosened
from evergreen.profile.validation.chance import EFFECT, effect, level, split_probability
from evergreen.profile.validation.samples import Sampler
from evergreen.profile.validation.shifts import Shift, named, shifts
from evergreen.project.model import DataGate
from evergreen.reports.text import number, percent
from evergreen.tables import literal

_RULES = {
    "value": "values", "decimals": "precision", "form": "format", "flag": "format", "length": "length",
    "hour": "clock", "weekday": "clock", "period": "gap",
}  # fmt: skip
_WORDS = {
    "values": "has single values more or less often than the baseline",
    "precision": "has other decimals than the baseline",
    "format": "is written in another way than in the baseline",
    "length": "has other lengths than in the baseline",
    "clock": "falls on other hours or weekdays than the baseline",
    "gap": "has no rows in periods in which the baseline has some",
}
# Cohen's h of a large effect (Cohen, 1988): an alarm; a smaller one warns.
_ALARM = 0.8
_SHOWN = 4
# So many rows with one number, three widths of the baseline's range beyond it, are no outlier.
_SENTINEL, _WIDTHS = 5, 3


def trait_findings(
    sampler: Sampler, columns: Sequence[Reader], baseline: Profile, current: Profile, gate: DataGate,
    told: Collection[str],
) -> list[Finding]:  # fmt: skip
    """What the traits of two tables say.

    Args:
        sampler: Reads the table, and names rows by key.
        columns: Of the table.
        baseline: With its traits.
        current: With traits observed like them.
        gate: For its drift mode.
        told: Columns whose values or distribution have a finding already: their single values say the same.
    """
    before, now = baseline.traits, current.traits
    if before is None or now is None or not before.rows or not now.rows:
        return []
    readers = {r.name: r for r in columns}
    names = [
        c.name for c in baseline.columns
        if c.role != "key" and c.name in readers and readers[c.name].family == c.family
    ]  # fmt: skip
    times = {c.name for c in baseline.columns if c.role == "time"}
    found = []
    grouped: dict[tuple[str, str], list[Shift]] = {}
    for one in shifts(before, now, names):
        rule = _RULES[one.kind]
        skipped = (rule == "values" and (one.column in told or one.column in times)) or not one.size
        if not skipped:
            grouped.setdefault((one.column, rule), []).append(one)
    for (column, rule), ranked in grouped.items():
        found.append(_finding(sampler, readers[column], rule, ranked, current.rows, gate))
    seen = {*told, *(c for c, r in grouped if r == "values")}
    found += [s for c in baseline.columns if c.name in names and c.name not in seen
              if (s := _sentinel(sampler, readers[c.name], c, before, now, gate))]  # fmt: skip
    moved = frozenset({*told, *(c for c, r in grouped if r in ("values", "clock"))})
    found += [_loose(one, gate) for one in loosened(before, now, moved)]
    return found + _repeats(sampler, columns, before, now, current.rows, gate)


def _sentinel(
    sampler: Sampler, reader: Reader, old: Column, before: Traits, now: Traits, gate: DataGate
) -> Finding | None:
    """One number that is new, stands several times, and lies where no other sample of the world would lie.

    A rare group that the baseline happens not to hold has a spread; -999 and 9999 have none.
    """
    if old.family != "number" or not old.numbers:
        return None
    least, most = float(old.numbers.minimum or 0.0), float(old.numbers.maximum or 0.0)
    width = _WIDTHS * (most - least)
    if not width:
        return None
    known = {item for t in before.tallies.get(old.name, ()) if t.kind == "value" for item, _ in t.items}
    for tally in now.tallies.get(old.name, ()):
        for item, count in tally.items if tally.kind == "value" else ():
            outside = not least - width <= float(item) <= most + width
            if count >= _SENTINEL and outside and item not in known:
                share = count / now.rows
                words = f"{rows_text(count, now.rows)} of column {old.name!r}"
                reason = f"{words} hold one number, new and far from all others"
                return no(
                    "sentinel", old.name, softened(gate.drift), reason, observed=share, threshold=0.0,
                    count=count, share=share, keys=sampler.keys(f"{reader.value} = {literal(item)}"),
                    examples=(f"{number(item)} ({number(count)})",),
                )  # fmt: skip
    return None


def _finding(
    sampler: Sampler, reader: Reader, rule: str, ranked: Sequence[Shift], rows: int, gate: DataGate
) -> Finding:
    ranked = sorted(ranked, key=lambda s: -s.size)
    first = ranked[0]
    mode = gate.drift if first.size >= _ALARM else softened(gate.drift)
    said = "; ".join(
        f"{named(s.kind, s.item, s.unit)} {percent(s.before)} → {percent(s.now)}" for s in ranked[:_SHOWN]
    )
    rare = next((s for s in ranked if s.now > s.before), first)
    condition = _condition(reader, rare)
    share = sum(s.now for s in ranked if s.now > s.before) or first.now
    plain = (
        said if rule in ("precision", "length", "clock", "gap", "format") else f"{number(len(ranked))} values"
    )
    return no(
        rule, reader.name, mode, f"column {reader.name!r} {_WORDS[rule]}: {plain}", observed=first.now,
        threshold=first.before, count=round(min(1.0, share) * rows), share=min(1.0, share),
        keys=sampler.keys(condition) if condition and rare.now else (),
        examples=tuple(said.split("; ")),
    )  # fmt: skip


def _condition(reader: Reader, shift: Shift) -> str:
    """SQL that finds the rows; empty where a form or a flag has no short SQL."""
    value, item = reader.value, shift.item
    by_kind: Mapping[str, str] = {
        "value": f"{value} = {literal(item)}",
        "length": f"length({value}) = {item}",
        "hour": f"CAST(floor(({value} % 86400) / 3600) AS INTEGER) = {item}",
    }
    flags = {
        "leading space": f"{value} <> ltrim({value})",
        "trailing space": f"{value} <> rtrim({value})",
        "upper case": f"{value} = upper({value}) AND {value} <> lower({value})",
        "lower case": f"{value} = lower({value}) AND {value} <> upper({value})",
        "empty": f"{value} = ''",
        "not ASCII": f"{value} <> strip_accents({value})",
    }
    if shift.kind == "flag":
        return flags.get(str(item), "")
    if shift.kind == "value" and reader.family == "text" and len(str(item)) >= 200:
        return ""
    return by_kind.get(shift.kind, "")


def _loose(one: Loosened, gate: DataGate) -> Finding:
    mode = gate.drift if abs(one.now - one.before) >= 0.3 else softened(gate.drift)
    others = ", ".join(repr(o) for o in one.others[:_SHOWN])
    more = f" and {len(one.others) - _SHOWN} more" if len(one.others) > _SHOWN else ""
    reason = (
        f"column {one.column!r} no longer goes with {others}{more} as in the baseline: the correlation was "
        f"{number(one.before)} and is {number(one.now)}"
    )
    return no("association", one.column, mode, reason, observed=one.now, threshold=one.before)


def _repeats(
    sampler: Sampler, columns: Sequence[Reader], before: Traits, now: Traits, rows: int, gate: DataGate
) -> list[Finding]:
    """Rows that repeat another in every column, more of them than the baseline has."""
    if not before.hashed or not now.hashed:
        return []
    p, q = before.repeated / before.hashed, now.repeated / now.hashed
    n, m = float(before.hashed), float(now.hashed)
    chances = [float(split_probability(now.repeated, before.repeated, *s)) for s in ((m, n), (m * m, n * n))]
    if q <= p or max(chances) >= level("twins", 1) or float(effect(p, q)) < EFFECT:
        return []
    count = round(q * rows)
    reason = f"{rows_text(count, rows)} repeat another row in every column, {percent(p)} in the baseline"
    mode = gate.mode if q - p >= 0.01 else softened(gate.mode)
    twins = row_hash(columns)
    query = f"SELECT {twins} AS h FROM {sampler.relation} GROUP BY h HAVING count(*) > 1 ORDER BY h LIMIT 3"
    hashes = [row[0] for row in sampler.con.execute(query).fetchall()]
    condition = " OR ".join(f"{twins} = {h}::UBIGINT" for h in hashes)
    return [
        no("repeated rows", "", mode, reason, observed=q, threshold=p, count=count, share=q,
           keys=sampler.keys(condition) if condition else ())
    ]  # fmt: skip
