"""A table against its schema: columns, types, and rows that break a rule, counted in one pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from evergreen.decisions import Mode
from evergreen.findings import Finding, no, rows_text, softened
from evergreen.profile.counting.reading import Reader, Request, collect
from evergreen.profile.model import FAMILIES, Column, Profile
from evergreen.profile.schema.model import ColumnSchema, Schema
from evergreen.profile.validation.samples import Sampler
from evergreen.project.wording import did_you_mean
from evergreen.reports.text import number, percent
from evergreen.tables import literal

RULES = ("column", "new column", "type", "missing", "invalid", "domain", "range", "key")


@dataclass(frozen=True)
class Rule:
    """A rule on the rows of one column.

    Attributes:
        name: One of `RULES`.
        reader: The column.
        breaks: SQL that is true for a row that breaks the rule.
        share: The share of rows that may break it.
        words: What is wrong with such rows.
        soft: Whether fewer rows than that warn; otherwise they pass.
    """

    name: str
    reader: Reader
    breaks: str
    share: float
    words: str
    soft: bool


@dataclass(frozen=True)
class SchemaCheck:
    """A table to be held to a schema.

    Attributes:
        sampler: Reads the table, and names rows by key.
        columns: The table's columns.
        profile: Of this table.
        schema: What it is held to.
        mode: What a no does; new columns, and few rows out of domain or range, warn at most.
        environment: `training` or `serving`.
    """

    sampler: Sampler
    columns: Sequence[Reader]
    profile: Profile
    schema: Schema
    mode: Mode
    environment: str

    def findings(self) -> list[Finding]:
        """What in the table is against the schema."""
        found = self._presence()
        rules: list[Rule] = []
        for reader in self.columns:
            wanted, column = self.schema.by_name.get(reader.name), self.profile.by_name.get(reader.name)
            if not wanted or not column:
                continue
            if _same_type(wanted, reader, column):
                rules += _rules(wanted, reader, self.schema.tolerance)
            else:
                reason = f"column {wanted.name!r} is {reader.type}, the schema says {wanted.type}"
                found.append(
                    no("type", wanted.name, self.mode, reason, observed=reader.type, threshold=wanted.type)
                )
        return found + self._broken(rules) + self._repeated()

    def _presence(self) -> list[Finding]:
        names = [r.name for r in self.columns]
        new = [r for r in self.columns if r.name not in self.schema.by_name]
        found = []
        for column in self.schema.columns:
            if column.required and column.expected_in(self.environment) and column.name not in names:
                hint = did_you_mean(column.name, [r.name for r in new])
                reason = f"column {column.name!r} is missing" + (f". {hint}" if hint else "")
                found.append(
                    no("column", column.name, self.mode, reason, observed="absent", threshold=column.type)
                )
        for reader in new:
            reason = f"column {reader.name!r} ({reader.type}) is not in the schema"
            found.append(no("new column", reader.name, softened(self.mode), reason, observed=reader.type))
        return found

    def _broken(self, rules: Sequence[Rule]) -> list[Finding]:
        """Count the rows that break each rule, all in one pass."""
        requests = [Request({"b": rule.breaks}, {"count": "coalesce(count_if({b}), 0)"}) for rule in rules]
        answers = collect(self.sampler.con, self.sampler.relation, requests).get(None, [])
        found = []
        for rule, answer in zip(rules, answers, strict=True):
            count = int(answer["count"])
            share = count / self.profile.rows if count else 0.0
            if count and (rule.soft or share > rule.share):
                found.append(self._finding(rule, count, share))
        return found

    def _finding(self, rule: Rule, count: int, share: float) -> Finding:
        mode = self.mode if share > rule.share else softened(self.mode)
        words = f"{rows_text(count, self.profile.rows)} of column {rule.reader.name!r} {rule.words}"
        return no(
            rule.name, rule.reader.name, mode, f"{words}; the bound is {percent(rule.share)}",
            observed=share, threshold=rule.share, count=count, share=share,
            keys=self.sampler.keys(rule.breaks),
            examples=self.sampler.examples(rule.reader, rule.breaks) if rule.name == "domain" else (),
        )  # fmt: skip

    def _repeated(self) -> list[Finding]:
        key = self.schema.key
        groups = [key] if key else []
        groups += [(c.name,) for c in self.schema.columns if c.unique and (c.name,) != key]
        found = []
        for names in groups:
            count = self.sampler.repetitions(names) if set(names) <= set(self.profile.by_name) else 0
            if count:
                rows = self.profile.rows
                reason = f"{rows_text(count, rows)} repeat a value of {', '.join(map(repr, names))}"
                found.append(
                    no("key", ", ".join(names), self.mode, reason, observed=count, threshold=0, count=count,
                       share=count / rows, keys=self.sampler.repeated(names))
                )  # fmt: skip
        return found


_ALIKE = {"category": "text", "date": "timestamp"}


def _same_type(wanted: ColumnSchema, reader: Reader, column: Column) -> bool:
    """Whether the rows can be checked; doubles may stand for integers, and the rows tell if all are whole."""
    expected, got = _ALIKE.get(wanted.type, wanted.type), _ALIKE.get(reader.type, reader.type)
    numbers = ("integer", "number")
    return expected == got or (expected in numbers and got in numbers) or column.missing == column.rows


def _rules(wanted: ColumnSchema, reader: Reader, default: float) -> list[Rule]:
    tolerance = default if wanted.tolerance is None else wanted.tolerance
    value = reader.value
    rules = [Rule("missing", reader, f"{reader.raw} IS NULL", wanted.max_missing, "are missing", False)]
    if reader.family != _family(wanted):
        return rules  # all rows are missing, and the type says nothing
    if reader.floats or reader.family == "time":
        broken = f"{reader.raw} IS NOT NULL AND {value} IS NULL"
        rules.append(Rule("invalid", reader, broken, wanted.max_invalid, "are NaN or infinite", False))
    if wanted.type == "integer" and reader.type == "number":
        rules.append(Rule("type", reader, f"{value} <> floor({value})", 0.0, "are not whole numbers", False))
    if wanted.domain is not None:
        broken = f"{value} NOT IN ({', '.join(literal(v) for v in wanted.domain)})"
        rules.append(Rule("domain", reader, broken, tolerance, "are outside its domain", True))
    for bound, sign, words in ((wanted.minimum, "<", "below"), (wanted.maximum, ">", "above")):
        if bound is not None:
            text = f"are {words} {bound if isinstance(bound, str) else number(bound)}"
            broken = f"{value} {sign} {literal(_seconds(bound))}"
            rules.append(Rule("range", reader, broken, tolerance, text, True))
    return rules


def _family(wanted: ColumnSchema) -> str:
    return FAMILIES.get(_ALIKE.get(wanted.type, wanted.type), "other")


def _seconds(bound: int | float | str) -> int | float:
    """A bound on a time as the profile reads it: seconds since 1970, UTC unless it says otherwise."""
    if not isinstance(bound, str):
        return bound
    moment = datetime.fromisoformat(bound)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
