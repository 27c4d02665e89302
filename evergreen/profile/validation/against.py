"""A table's profile against its frozen baseline: rows, missing values, constants, lateness, drift, slices."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from evergreen.decisions import Decision, Mode
from evergreen.findings import GATE, Finding, no, rows_text, softened
from evergreen.profile.model import Column, Profile
from evergreen.profile.pictures import moment
from evergreen.profile.validation.chance import EFFECT, effect, level, split_probability, unseen_rows
from evergreen.profile.validation.distances import psi_floor
from evergreen.profile.validation.drift import SMALL, Drift, compare
from evergreen.project.model import DataGate
from evergreen.reports.text import number, percent

Pair = tuple[Column, Column]

# Rows as a multiple of the baseline's: below the first warns, below the second fails, above the third warns.
_FEWER, _MUCH_FEWER, _MORE = 0.6, 0.1, 10
# Jensen-Shannon distance, normalised Wasserstein distance and the largest change of a share that are drift.
_DISTANCE = 0.1
# Up to so many rows a change that is no chance is large enough to be told.
_FEW_ROWS = 1000
# A change of the share that is missing: an alarm from so many points on, else a warning.
_MISSING_ALARM = 0.1


def pairs(baseline: Profile | None, current: Profile) -> list[Pair]:
    """The columns that are compared, each of the baseline with the table's."""
    compared = [c for c in baseline.columns if c.role in ("feature", "label")] if baseline else []
    return [
        (old, new) for old in compared if (new := current.by_name.get(old.name)) and old.family == new.family
    ]


def volume(rows: int, baseline: Profile | None, gate: DataGate) -> list[Finding]:
    """Fewer rows than the gate asks for, or far fewer or more than the baseline has."""
    if rows < gate.min_rows:
        reason = f"the table has {number(rows)} rows; at least {number(gate.min_rows)} are needed"
        return [no("min_rows", "", gate.mode, reason, observed=rows, threshold=gate.min_rows, count=rows)]
    if not baseline or not baseline.rows or _FEWER <= rows / baseline.rows <= _MORE:
        return []
    ratio = rows / baseline.rows
    mode: Mode = gate.mode if ratio < _MUCH_FEWER else softened(gate.mode)
    bound = _MORE if ratio > 1 else _MUCH_FEWER if ratio < _MUCH_FEWER else _FEWER
    reason = (
        f"the table has {number(rows)} rows, {number(ratio)} times the baseline's {number(baseline.rows)}"
    )
    return [no("volume", "", mode, reason, observed=ratio, threshold=bound, count=rows)]


def empty_columns(profile: Profile, baseline: Profile | None, gate: DataGate) -> list[Finding]:
    """Columns with hardly a value, or with one only; not those that were so in the baseline."""
    found: list[Finding] = []
    for column in profile.columns:
        old = baseline.by_name.get(column.name) if baseline else None
        if column.rows and column.missing_share > gate.max_missing:
            if old is None or old.missing_share <= gate.max_missing:
                reason = f"{rows_text(column.missing, column.rows)} of column {column.name!r} are missing"
                found.append(
                    no("max_missing", column.name, gate.mode, reason, observed=column.missing_share,
                       threshold=gate.max_missing, count=column.missing, share=column.missing_share)
                )  # fmt: skip
        elif (
            column.constant
            and column.rows > 1
            and column.role in ("feature", "label")
            and _surprising(column, old)
        ):
            mode = gate.mode if column.role == "label" else softened(gate.mode)
            reason = f"column {column.name!r} holds one value in all rows"
            found.append(
                no("constant", column.name, mode, reason, observed=1, threshold=2, count=column.rows)
            )
    return found


def _surprising(column: Column, old: Column | None) -> bool:
    """Whether a constant is more than a frequent value met by chance."""
    if old is None or not old.valid:
        return True
    if old.sketch is not None and old.sketch.exact == 1:
        return False
    most = max((n for _, n in old.values.items), default=0) if old.values else 0
    share = (most + 1) / (old.valid + 2)
    return share**column.rows < level("constant", 10)


def missing_changes(found: Sequence[Pair], gate: DataGate) -> list[Finding]:
    """Columns with more, or with fewer, missing values than chance explains."""
    result = []
    for old, new in found:
        if not old.rows or not new.rows:
            continue
        p, q = old.missing_share, new.missing_share
        chance = float(split_probability(new.missing, old.missing, new.rows, old.rows))
        if chance >= level("missing", len(found)) or float(effect(p, q)) < EFFECT:
            continue
        mode = gate.drift if q - p >= _MISSING_ALARM else softened(gate.drift)
        words = f"{rows_text(new.missing, new.rows)} of column {new.name!r} are missing"
        reason = f"{words}, {percent(p)} in the baseline"
        result.append(
            no("missing change", new.name, mode, reason, observed=q, threshold=p, count=new.missing, share=q)
        )
    return result


def late(baseline: Profile | None, current: Profile, gate: DataGate) -> list[Finding]:
    """Times that end before the baseline's do: a late or lost span."""
    if not baseline:
        return []
    times = [
        (old, new) for old in baseline.columns
        if old.family == "time" and (new := current.by_name.get(old.name)) and new.family == "time"
    ]  # fmt: skip
    found = []
    for old, new in times:
        if not old.numbers or not new.numbers or new.numbers.maximum is None or not old.valid:
            continue
        newest = float(new.numbers.maximum)
        later = _later(old, newest)
        if later >= unseen_rows(old.valid, new.valid, level("extremes", 2 * len(times))):
            then = moment(old.numbers.maximum)
            newer = f"the baseline's is {then}, and {percent(later / old.valid)} of its rows are newer"
            reason = f"the newest {old.name!r} is {moment(newest)}; {newer}"
            mode = gate.drift if later / old.valid > 0.05 else softened(gate.drift)
            found.append(
                no(
                    "late",
                    old.name,
                    mode,
                    reason,
                    observed=moment(newest),
                    threshold=then,
                    share=later / old.valid,
                )
            )
    return found


def _later(old: Column, newest: float) -> int:
    """At least so many of the baseline's rows are newer, by its bins."""
    assert old.numbers
    most = 0
    for bins in (old.numbers.bins, old.numbers.histogram):
        below = list(accumulate(bins.counts))
        known = [n for edge, n in zip(bins.edges, below, strict=False) if edge >= newest]
        most = max(most, old.numbers.count - known[0] if known else 0)
    return most


def drifts(found: Sequence[Pair]) -> list[Drift]:
    """Every column against the baseline, the furthest first; times that merely went on are left out."""
    kept = [(old, new) for old, new in found if not _went_on(old, new)]
    chance = level("drift", len(kept))
    made = [drift for old, new in kept if (drift := compare(old, new, 1 - chance))]
    return sorted(made, key=lambda d: (-d.psi, d.column))


def _went_on(old: Column, new: Column) -> bool:
    if old.family != "time" or not old.numbers or not new.numbers or old.numbers.maximum is None:
        return False
    counts = new.numbers.bins.counts
    beyond = sum(counts[-2:])
    return (new.numbers.maximum or 0) > old.numbers.maximum and beyond > 0.2 * max(1, new.numbers.count)


def drift_finding(
    drift: Drift, gate: DataGate, tests: int, kind: str = "drift", slice_name: str = ""
) -> Finding | None:
    """What is to be said of a comparison; None where it is as the baseline, or may be by chance.

    Above 1,000 rows a change must be large enough too: PSI above its bounds, or another distance above 0.1.

    Args:
        drift: One column against the baseline.
        gate: Thresholds and mode.
        tests: How many comparisons share the budget.
        kind: Of the budget: `drift` or `slices`.
        slice_name: Where the comparison is of a slice.
    """
    if drift.chance >= level(kind, tests):
        return None
    rows = min(sum(drift.reference), sum(drift.current))
    warn, alarm = max(gate.psi_warn, drift.floor), max(gate.psi_alarm, drift.floor)
    where = f" in slice {slice_name!r}" if slice_name else ""
    named = slice_name or "overall"
    if drift.psi > warn:
        over = drift.psi > alarm
        mode = gate.drift if over and not slice_name else softened(gate.drift)
        threshold = alarm if over else warn
        moved = f"PSI {number(drift.psi)} is above {number(threshold)}"
        return _drifted("drift psi", drift, mode, moved, drift.psi, threshold, where, named)
    if drift.jensen_shannon > _DISTANCE:
        moved = f"Jensen-Shannon distance {number(drift.jensen_shannon)} is above {_DISTANCE}"
        return _drifted(
            "drift js", drift, softened(gate.drift), moved, drift.jensen_shannon, _DISTANCE, where, named
        )
    if drift.distance is not None and drift.distance > _DISTANCE:
        moved = f"distance {number(drift.distance)} is above {_DISTANCE}"
        return _drifted(
            "drift distance", drift, softened(gate.drift), moved, drift.distance, _DISTANCE, where, named
        )
    if rows <= _FEW_ROWS and drift.psi > gate.psi_warn:
        moved = f"a difference that chance makes once in {number(1 / max(drift.chance, 1e-300))} times"
        return _drifted(
            "drift test", drift, softened(gate.drift), moved, drift.chance, level(kind, tests), where, named
        )
    return None


def _drifted(
    rule: str, drift: Drift, mode: Mode, moved: str, observed: float, threshold: float, where: str, named: str
) -> Finding:
    reason = f"column {drift.column!r} moved from the baseline{where}: {moved}{small(drift)}"
    return no(rule, drift.column, mode, reason, observed=observed, threshold=threshold, slice=named)


def small(drift: Drift) -> str:
    """The remark that few rows call for."""
    if not drift.small:
        return ""
    rows = min(sum(drift.reference), sum(drift.current))
    return f" (small data: {number(rows)} rows, below {SMALL}; chance alone reaches {number(drift.floor)})"


def sliced(baseline: Profile | None, current: Profile, gate: DataGate) -> list[Finding]:
    """Drift of every slice that both profiles have, under one budget for all slices and columns.

    A slice's drift warns at most: what stops a run is decided on the whole table.
    """
    if not baseline:
        return []
    old: Mapping[str, Profile] = {s.name: s.profile for s in baseline.slices}
    compared = [
        (s.name, drift)
        for s in current.slices
        if s.name in old
        for before, now in pairs(old[s.name], s.profile)
        if not _went_on(before, now) and (drift := compare(before, now))
    ]
    chance = 1 - level("slices", len(compared))
    found = []
    for name, drift in compared:
        n, m = sum(drift.reference), sum(drift.current)
        strict = replace(drift, floor=psi_floor(n, m, len(drift.labels), chance))
        finding = drift_finding(strict, gate, len(compared), "slices", name)
        found += [finding] if finding else []
    return found


def no_drift(drift: Drift, gate: DataGate) -> Decision:
    """The record of a comparison without a finding."""
    reason = f"column {drift.column!r} is as in the baseline{small(drift)}"
    threshold = max(gate.psi_warn, drift.floor)
    return Decision(GATE, f"drift psi({drift.column})", "pass", reason, threshold, drift.psi, mode=gate.drift)
