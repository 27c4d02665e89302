"""A table against its schema: columns, types, and rows that break a rule."""

from collections.abc import Sequence
from dataclasses import dataclass

from evergreen.decisions import Mode
from evergreen.findings import Finding, no, rows_text, softened
from evergreen.near import did_you_mean
from evergreen.profile.counting.reading import Reader
from evergreen.profile.model import Profile
from evergreen.profile.schema.model import Schema
from evergreen.profile.validation.chance import level, unseen_rows
from evergreen.profile.validation.counting import RuleCounts
from evergreen.profile.validation.rules import Rule, identity, same_type
from evergreen.profile.validation.samples import Sampler
from evergreen.reports.text import percent

RULES = ("column", "new column", "order", "type", "missing", "invalid", "domain", "range", "key")
# Beyond the baseline's extremes this share of the rows is an alarm, a smaller one a warning.
_ALARM = 0.05
# Several rules say these of one column; the first that is broken is told.
_ONCE = ("range", "extremes", "invalid")


@dataclass(frozen=True)
class SchemaCheck:
    """A table to be held to a schema.

    Attributes:
        sampler: Reads the table, and names rows by key.
        columns: The table's columns.
        profile: Of this table.
        schema: What it is held to.
        mode: What a no does; new columns, and few rows out of domain or range, warn at most.
        drift: What it does where the baseline says no.
        environment: `training` or `serving`.
    """

    sampler: Sampler
    columns: Sequence[Reader]
    profile: Profile
    schema: Schema
    mode: Mode
    drift: Mode
    environment: str

    def shape(self) -> list[Finding]:
        """Columns that are absent, new, in another order, or of another type."""
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
        return found + self._order(names) + self._types()

    def _order(self, names: Sequence[str]) -> list[Finding]:
        wanted = [c.name for c in self.schema.columns if c.name in names]
        got = [n for n in names if n in self.schema.by_name]
        first = next((a for a, b in zip(got, wanted, strict=True) if a != b), None)
        if first is None:
            return []
        reason = f"the columns stand in another order than in the schema, from {first!r} on"
        return [
            no("order", "", softened(self.mode), reason, observed=first, threshold=wanted[got.index(first)])
        ]

    def _types(self) -> list[Finding]:
        found = []
        for reader in self.columns:
            wanted, column = self.schema.by_name.get(reader.name), self.profile.by_name.get(reader.name)
            if wanted and column and not same_type(wanted, reader, column):
                reason = f"column {wanted.name!r} is {reader.type}, the schema says {wanted.type}"
                found.append(
                    no("type", wanted.name, self.mode, reason, observed=reader.type, threshold=wanted.type)
                )
        return found

    def broken(self, rules: Sequence[Rule], counts: RuleCounts) -> list[Finding]:
        """The rules that more rows break than they may."""
        found: list[Finding] = []
        beyond: set[tuple[str, bool]] = set()
        for index, rule in enumerate(rules):
            count = counts.broken[identity(rule, index)]
            share = count / self.profile.rows if count else 0.0
            group = (rule.column, rule.name == "invalid")
            told = rule.name in _ONCE and group in beyond
            if count >= rule.floor and (rule.soft or share > rule.share) and not told and count:
                found.append(self._finding(rule, count, share))
                beyond |= {group} if rule.name in _ONCE else set()
        return found

    def _finding(self, rule: Rule, count: int, share: float) -> Finding:
        mode = self.drift if rule.drift else rule.mode or self.mode
        if share <= max(_ALARM if rule.drift else 0.0, rule.share):
            mode = softened(mode)
        of = f" of column {rule.column!r}" if rule.column else ""
        bound = "" if rule.drift else f"; the bound is {percent(rule.share)}"
        shown = rule.reader if rule.name in ("domain", "extremes", "range") else None
        return no(
            rule.name, rule.column, mode, f"{rows_text(count, self.profile.rows)}{of} {rule.words}{bound}",
            observed=share, threshold=0.0 if rule.drift else rule.share, count=count, share=share,
            keys=self.sampler.keys(rule.breaks),
            examples=self.sampler.examples(shown, rule.breaks) if shown else (),
        )  # fmt: skip

    def repeated(self, counts: RuleCounts) -> list[Finding]:
        """Groups of columns that should be unique together and are not."""
        found = []
        rows = self.profile.rows
        groups = {
            ", ".join(c): c for c in [self.schema.key, *((c.name,) for c in self.schema.columns if c.unique)]
        }
        for name, count in counts.repeated.items():
            names = groups[name]
            # Of a column that was found unique, repetitions go with the square of the rows.
            inferred = names != self.schema.key and self.schema.rows
            chance = level("repeated", len(counts.repeated))
            fewest = unseen_rows(rows**2, self.schema.rows**2, chance) if inferred else 1
            if count >= fewest:
                reason = f"{rows_text(count, rows)} repeat a value of {', '.join(map(repr, names))}"
                found.append(
                    no("key", name, self.mode, reason, observed=count, threshold=0, count=count,
                       share=count / rows, keys=self.sampler.repeated(names))
                )  # fmt: skip
        return found
