"""Training against serving: which rows belong together, whose values differ and why, and what moved."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from evergreen.decisions import Decision, verdict
from evergreen.findings import Finding, no, rows_text, softened, worst_first
from evergreen.intervals import Z_95, wilson
from evergreen.profile.model import Profile
from evergreen.project.model import Resources, SkewGate
from evergreen.reports.text import number, percent
from evergreen.skew.causes import causes_of, sentence
from evergreen.skew.distribution import GATE, Compared, compare_distributions, write_table
from evergreen.skew.names import Named
from evergreen.skew.points import Points, points_of
from evergreen.skew.rows import Rows, match_rows, write_pairs, write_unmatched
from evergreen.skew.tables import SkewTables, skew_tables
from evergreen.skew.values import Difference, count_differences, samples_of
from evergreen.tables.connection import connect, explained


@dataclass(frozen=True)
class Skew:
    """What a skew check found.

    Attributes:
        tables: The two tables and how their columns go together.
        rows: How their rows were matched.
        differences: Features that differ in matched rows, the most first.
        compared: The unmatched rows in distribution; None when there are none.
        findings: What is against a rule, the worst first.
        decisions: One for every finding, and for every check that held.
        points: Pairs of values of the features that differ, for the pictures.
        training: The training set by name.
        serving: The serving data by name.
    """

    tables: SkewTables
    rows: Rows
    differences: tuple[Difference, ...]
    compared: Compared | None
    findings: tuple[Finding, ...]
    decisions: tuple[Decision, ...]
    points: tuple[Points, ...]
    training: Named
    serving: Named
    remarks: tuple[str, ...] = field(default=())

    def record(self) -> dict[str, Any]:
        """The check as `--json` prints it."""
        counts = {k: v for k, v in vars(self.rows).items() if k != "shift"}
        return {
            "training": self.training.record(),
            "serving": self.serving.record(),
            "rows": counts,
            "features": len(self.tables.features),
            "remarks": list(self.remarks),
            "findings": [f.record() for f in self.findings],
        }


def check_skew(
    training: Path,
    serving: Path,
    gate: SkewGate | None = None,
    *,
    key: Sequence[str] = (),
    time: str | None = None,
    label: str | None = None,
    baseline: Profile | None = None,
    names: tuple[Named, Named] | None = None,
    resources: Resources | None = None,
) -> Skew:
    """Compare a training set with the features that were served.

    Rows of the same key and time (or shortly after, see `SkewGate.tolerance`) are compared value by value.
    Serving rows without a training row are compared in distribution, with the frozen profile. Memory is
    bounded by `resources` whatever the rows: DuckDB joins keys and row numbers, and spills to disk.

    Args:
        training: The training set: a Parquet file or folder; its `meta.json` says what columns mean.
        serving: The serving rows, with features as the model saw them.
        gate: Thresholds and modes; default: `SkewGate()`.
        key: Columns that name a row in both; default: the gate's, then the training set's.
        time: The column with the time; default: the training set's.
        label: The label's column, in a table without `meta.json`.
        baseline: The frozen profile to compare distributions with; default: the training set's.
        names: What the two data sets are called where they are kept; default: their paths.
        resources: Memory and threads.

    Raises:
        DataError: when a table cannot be read, lacks a column that was asked for, or they share no feature.
    """
    gate = gate or SkewGate()
    with TemporaryDirectory(prefix="evergreen-skew-") as scratch:
        pairs, rest = Path(scratch) / "pairs.parquet", Path(scratch) / "rest"
        with connect(resources) as con, explained(str(serving)):
            tables = skew_tables(con, training, serving, key=key or gate.key or (), time=time, label=label)
            rows, differences = _compared_rows(con, tables, gate, pairs)
            unmatched = write_unmatched(con, tables, rest / "data" / "part-00000.parquet")
            points = points_of(con, differences, pairs, gate.precision)
        compared = None
        if unmatched:
            write_table(tables, rest)
            compared = compare_distributions(
                tables, unmatched, rest, gate, reference=baseline, resources=resources
            )
    found = worst_first([*_columns(tables, gate), *_rows(tables, rows, gate), *_values(differences, gate),
                         *(compared.findings if compared else ())])  # fmt: skip
    decisions = [*(f.decision() for f in found), *_passes(tables, rows, differences, compared, found, gate)]
    decisions = [_with_interval(d, differences) for d in decisions]
    named = names or (Named(str(training), rows=rows.training), Named(str(serving), rows=rows.serving))
    return Skew(
        tables, rows, tuple(differences), compared, tuple(found), tuple(decisions), tuple(points), *named,
        remarks=_remarks(tables, rows, differences),
    )  # fmt: skip


def _compared_rows(
    con: duckdb.DuckDBPyConnection, tables: SkewTables, gate: SkewGate, pairs: Path
) -> tuple[Rows, list[Difference]]:
    if not tables.key:
        totals = [con.execute(f"SELECT count(*) FROM {s}").fetchall()[0][0] for s in tables.scans]
        return Rows(int(totals[0]), int(totals[1])), []
    rows = match_rows(con, tables, gate.tolerance)
    if not rows.matched:
        return rows, []
    write_pairs(con, tables, pairs)
    _, found = count_differences(con, tables.features, pairs, gate.precision)
    found.sort(key=lambda d: (-d.rows, d.feature.index))
    causes = causes_of(con, tables, found, pairs, gate.precision)
    told = [replace(d, causes=c) for d, c in zip(found, causes, strict=True)]
    return rows, [replace(d, samples=samples_of(con, tables, d.feature, pairs, gate.precision)) for d in told]


def _columns(tables: SkewTables, gate: SkewGate) -> Iterable[Finding]:
    for name in tables.absent:
        reason = f"feature {name!r} is not in the serving table"
        yield no("skew missing feature", name, gate.mode, reason, gate=GATE)
    for f in tables.features:
        if f.other_type:
            reason = f"feature {f.name!r} is {f.serving} in serving, {f.training} in training"
            yield no(
                "skew type", f.name, gate.mode, reason, observed=f.serving, threshold=f.training, gate=GATE
            )


def _rows(tables: SkewTables, rows: Rows, gate: SkewGate) -> Iterable[Finding]:
    if rows.shift is not None:
        reason = (
            f"the clock of serving is off by {rows.shift.text}: {percent(rows.shift.share)} of the rows that "
            f"were looked at stand so far from their training row"
        )
        yield no("skew clock", tables.time or "", gate.mode, reason, observed=rows.shift.text, gate=GATE)
    if rows.spelled:
        reason = f"{rows_text(rows.spelled, rows.serving)} have a key that training spells otherwise"
        yield _counted("skew key", ", ".join(tables.key), gate, reason, rows.spelled, rows.serving)
    if rows.repeated:
        reason = f"{rows_text(rows.repeated, rows.serving)} of serving repeat a key and time"
        yield _counted("skew repeated", ", ".join(tables.key), gate, reason, rows.repeated, rows.serving)
    if rows.share < gate.min_matched:
        reason = (
            f"{rows_text(rows.matched, rows.serving)} of serving are in the training set; "
            f"at least {percent(gate.min_matched)} must be"
        )
        yield no("skew coverage", "", gate.mode, reason, observed=rows.share, threshold=gate.min_matched,
                 count=rows.serving - rows.matched, share=1 - rows.share, gate=GATE)  # fmt: skip


def _counted(rule: str, column: str, gate: SkewGate, reason: str, count: int, total: int) -> Finding:
    few = wilson(count, total, Z_95)[0] <= gate.max_share
    mode = softened(gate.mode) if few else gate.mode
    share = count / total
    return no(rule, column, mode, reason, observed=share, threshold=gate.max_share, count=count, share=share,
              gate=GATE)  # fmt: skip


def _values(differences: Sequence[Difference], gate: SkewGate) -> Iterable[Finding]:
    for d in differences:
        if d.feature.other_type and d.causes[0].name == "type":
            continue
        mode = softened(gate.mode) if d.interval[0] <= gate.max_share else gate.mode
        yield no(
            f"skew {d.causes[0].name}", d.feature.name, mode, sentence(d), observed=d.share,
            threshold=gate.max_share, count=d.rows, share=d.share, keys=tuple(s[0] for s in d.samples),
            examples=tuple(f"{a} → {b}" for _, a, b in d.samples), gate=GATE,
        )  # fmt: skip


def _with_interval(decision: Decision, differences: Sequence[Difference]) -> Decision:
    for d in differences:
        if decision.check == f"skew {d.causes[0].name}({d.feature.name})":
            return replace(decision, interval=d.interval)
    return decision


def _passes(
    tables: SkewTables, rows: Rows, differences: Sequence[Difference], compared: Compared | None,
    found: Sequence[Finding], gate: SkewGate,
) -> Iterable[Decision]:  # fmt: skip
    many = f"{len(tables.features)} features"
    if not tables.absent:
        yield Decision(GATE, "skew features", "pass", f"serving has all {many}", mode=gate.mode)
    if not rows.matched:
        why = tables.remarks[0] if tables.remarks else "no serving row has a training row"
        yield Decision(GATE, "skew values", "skip", f"{why}; values were not compared", mode=gate.mode)
    else:
        same = len(tables.features) - len(differences)
        text = f"{same} of {many} are the same in {number(rows.matched)} matched rows"
        ok = verdict(True, gate.mode) if same else "skip"
        yield Decision(GATE, "skew values", ok, text, gate.max_share, 0.0, wilson(0, rows.matched, Z_95),
                       mode=gate.mode)  # fmt: skip
    moved = {f.column for f in found if f.rule.startswith("distribution")}
    if compared is None:
        text = "every serving row was compared value by value"
        yield Decision(GATE, "distribution", "skip", text, mode=gate.distribution)
    elif not moved:
        text = f"{number(compared.rows)} serving rows without a training row are distributed as training is"
        yield Decision(GATE, "distribution", "pass", text, gate.psi_warn, mode=gate.distribution)


def _remarks(tables: SkewTables, rows: Rows, differences: Sequence[Difference]) -> tuple[str, ...]:
    found = list(tables.remarks)
    if rows.ambiguous:
        found.append(
            f"{rows_text(rows.ambiguous, rows.serving)} of serving have several training rows of their "
            "key and time and were not compared one by one: name more columns in the key"
        )
    if rows.keyless:
        found.append(f"{rows_text(rows.keyless, rows.serving)} of serving have no key or no time")
    strange = sum(d.causes[0].name == "values" and d.share > 0.5 for d in differences)
    if strange > len(tables.features) / 2:
        found.append("most features differ in most rows: the key may not name the same row in both tables")
    return tuple(found)
