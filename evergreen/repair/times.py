"""Dates and times: what the whole column says about how they are written, and each value read by it."""

from dataclasses import dataclass, field
from datetime import datetime, time, tzinfo

from evergreen.ingest.infer import spelled
from evergreen.project.model import ColumnType, TimeRepair
from evergreen.repair.characters import spaced
from evergreen.repair.moments import Moment, take_apart, utc
from evergreen.repair.outcome import Doubt, Outcome
from evergreen.repair.zones import zone_of

_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
ISO = _DAY + "([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?Z?)?"
_EPOCH_START = datetime(1970, 1, 1)


@dataclass
class TimeEvidence:
    """What is counted over a column's values, rows each; adds up in any order.

    Attributes:
        iso: Rows as ISO 8601 without a zone.
        day_first: Rows with a day past 12 before the month.
        month_first: Rows with a day past 12 after the month.
        open: Rows such as 03/04/2024.
        examples: Some of them.
        zoned: Rows that name a zone.
        bare: Rows with a time of day that name none.
        clocks: Rows with a time of day.
        read: Rows that are a date or time.
    """

    iso: int = 0
    day_first: int = 0
    month_first: int = 0
    open: int = 0
    examples: set[str] = field(default_factory=set)
    zoned: int = 0
    bare: int = 0
    clocks: int = 0
    read: int = 0

    def add(self, text: str, rows: int) -> None:
        """Count a value that stands in so many rows."""
        moment = take_apart(text)
        if moment is None:
            return
        self.read += rows
        if moment.form == "day first" and moment.first > 12 and not moment.dotted:
            self.day_first += rows
        elif moment.form == "month first":
            self.month_first += rows
        elif moment.form == "in doubt":
            self.open += rows
            if len(self.examples) < 200:
                self.examples.add(spaced(text))
        self.zoned += rows if moment.zone else 0
        clock = moment.clock or moment.instant
        self.clocks += rows if clock else 0
        self.bare += rows if moment.clock is not None and not moment.zone else 0


@dataclass(frozen=True)
class TimeReader:
    """Reads a column's dates and times; see `settle_times`.

    Attributes:
        type: timestamp or date.
        day_first: Whether 03/04/2024 is the third of April; None when nothing tells.
        zone: Of times that name none; None: UTC.
        formats: `strptime` formats that are tried first.
        zones: What abbreviations mean.
        pivot: A two-digit year from here on is 19….
        missing: Spellings of no value.
    """

    type: ColumnType
    day_first: bool | None = None
    zone: tzinfo | None = None
    formats: tuple[str, ...] = ()
    zones: tuple[tuple[str, tzinfo], ...] = ()
    pivot: int = 69
    missing: tuple[str, ...] = ()

    @property
    def words(self) -> bool:
        """Of a column of times, the usual spellings of "no value" are no words."""
        return True

    def fast(self, text_sql: str) -> str:
        """SQL for a time written as ISO 8601, in UTC or in no zone."""
        if self.zone is not None:
            if self.type != "date":
                return ""
            known = f"regexp_full_match({text_sql}, '{_DAY}')"
        else:
            known = f"regexp_full_match({text_sql}, '{_DAY if self.type == 'date' else ISO}')"
        if self.missing:
            known += f" AND NOT {spelled(text_sql, self.missing)}"
        value = f"TRY_CAST({text_sql} AS {'DATE' if self.type == 'date' else 'TIMESTAMP'})"
        return f"CASE WHEN {known} THEN {value} END"

    def read(self, text: str) -> Outcome:
        """A text as a time (UTC)."""
        for written in self.formats:
            try:
                found = datetime.strptime(spaced(text), written)
            except ValueError:
                continue
            return self._typed(self._in_utc(found, found.tzinfo or self.zone), f"format {written}")
        moment = take_apart(text)
        if moment is None:
            return Outcome(reason="no date or time that can be told")
        if moment.instant is not None:
            return self._typed(moment.instant, "seconds since 1970")
        if moment.form == "in doubt" and self.day_first is None:
            reason = "in doubt: the first number may be the day or the month; the policy's `day_first` tells"
            return Outcome(reason=reason)
        day = self._date(moment)
        if day is None:
            return Outcome(reason="no date of the calendar")
        zone = self._zone(moment.zone) if moment.zone else self.zone
        if moment.zone and zone is None:
            return Outcome(reason=f"zone {moment.zone}, which is not known; the policy's `zones` tells")
        if moment.clock is None:
            # A bare date is that date, in whatever zone.
            return self._typed(day, _rule(moment, ""))
        try:
            return self._typed(self._in_utc(day + moment.clock, zone), _rule(moment, moment.zone))
        except OverflowError:
            return Outcome(reason="no date of the calendar")

    def _date(self, moment: Moment) -> datetime | None:
        first, second, year = moment.first, moment.second, moment.year
        if moment.short:
            year += 1900 if year >= self.pivot else 2000
        if (
            moment.form == "ymd"
            or moment.form == "month first"
            or (moment.form == "in doubt" and not self.day_first)
        ):
            first, second = second, first
        try:
            return datetime(year, second, first)
        except ValueError:
            return None

    def _zone(self, name: str) -> tzinfo | None:
        given = dict(self.zones)
        return given.get(name.upper()) or zone_of(name)

    def _in_utc(self, naive: datetime, zone: tzinfo | None) -> datetime:
        return naive if zone is None else utc(naive.replace(tzinfo=zone))

    def _typed(self, moment: datetime, rule: str) -> Outcome:
        if not 1 <= moment.year <= 9999:
            return Outcome(reason="no date of the calendar")
        face = (moment - _EPOCH_START).total_seconds()
        if self.type == "date":
            cut = ", time of day cut" if moment.time() != time() else ""
            return Outcome(moment.date(), f"{rule}{cut}", "", face)
        return Outcome(moment, rule, "", face)


def _rule(moment: Moment, zone: str) -> str:
    words = {"ymd": "date form", "named": "month name", "in doubt": "order of day and month"}
    rules: list[str] = [words.get(moment.form, moment.form)]
    if moment.short:
        rules.append("two-digit year")
    if zone and zone not in ("Z", "UTC"):
        rules.append("time zone")
    return ", ".join(rules)


def settle_times(
    given: TimeRepair, type_: ColumnType | None, evidence: TimeEvidence, missing: tuple[str, ...], where: str
) -> tuple[TimeReader, list[Doubt]]:
    """The reader of a column: what the policy leaves open is decided by the column's evidence, or in doubt.

    Raises:
        ValueError: for a zone that is none.
    """
    doubts: list[Doubt] = []
    day_first = given.day_first
    if day_first is None and evidence.open:
        if bool(evidence.day_first) != bool(evidence.month_first):
            day_first = bool(evidence.day_first)
        else:
            both = "the column has both orders" if evidence.day_first else "no day past 12 tells"
            reason = f"{evidence.open} rows may be day or month first, {both}. Say `{where}.time.day_first`."
            examples = tuple(sorted(evidence.examples)[:3])
            doubts.append(Doubt("day first", reason, evidence.open, examples=examples))
    zone = _given(given.zone) if given.zone else None
    if evidence.zoned and evidence.bare and zone is None:
        reason = f"{evidence.bare} rows name no time zone and were taken as UTC. Say `{where}.time.zone`."
        doubts.append(Doubt("time zone", reason, evidence.bare, severe=False))
    zones = tuple((name.upper(), _given(z)) for name, z in sorted(given.zones.items()))
    type_ = type_ or ("timestamp" if evidence.clocks else "date")
    reader = TimeReader(type_, day_first, zone, tuple(given.formats), zones, given.pivot, missing)
    return reader, doubts


def _given(name: str) -> tzinfo:
    zone = zone_of(name)
    if zone is None:
        raise ValueError(f"{name!r} is no time zone")
    return zone
