"""Dates and times in mixed forms and zones: each reading, what the column decides, what nobody guesses."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.project.model import TimeRepair
from evergreen.repair.times import TimeEvidence, TimeReader, settle_times

READINGS = {
    "2024-01-05": "2024-01-05 00:00:00",
    "2024-01-05T10:00:00+09:00": "2024-01-05 01:00:00",
    "2024-01-05 10:00:00.123456Z": "2024-01-05 10:00:00.123456",
    "2024-01-05 10:00 KST": "2024-01-05 01:00:00",
    "2024-01-05 10:00 UTC+9": "2024-01-05 01:00:00",
    "2024-01-05 10:00 Asia/Seoul": "2024-01-05 01:00:00",
    "2024-07-05 10:00 Europe/Berlin": "2024-07-05 08:00:00",
    "2024/1/5": "2024-01-05 00:00:00",
    "20240105": "2024-01-05 00:00:00",
    "20240105T101500": "2024-01-05 10:15:00",
    "31.12.2024 23:59": "2024-12-31 23:59:00",
    "03.04.2024": "2024-04-03 00:00:00",
    "12/31/24 11:59 PM": "2024-12-31 23:59:00",
    "12/31/2024 12:00 am": "2024-12-31 00:00:00",
    "5 Jan 2024": "2024-01-05 00:00:00",
    "05-Jan-24 08:00": "2024-01-05 08:00:00",
    "January 5th, 2024": "2024-01-05 00:00:00",
    "Fri, 05 Jan 2024 12:00:00 GMT": "2024-01-05 12:00:00",
    "3. März 2024": "2024-03-03 00:00:00",
    "2024년 1월 5일": "2024-01-05 00:00:00",
    "2024年1月5日": "2024-01-05 00:00:00",
    "２０２４-０１-０５": "2024-01-05 00:00:00",
    "1704067200": "2024-01-01 00:00:00",
    "1704067200000": "2024-01-01 00:00:00",
    "1704067200.5": "2024-01-01 00:00:00.500000",
    "05/05/2024": "2024-05-05 00:00:00",
    "31/12/68": "2068-12-31 00:00:00",
    "31/12/69": "1969-12-31 00:00:00",
    "03/04/2024": None,
    "24-01-05": None,
    "2024-02-30": None,
    "13/13/2024": None,
    "2024-01-05 25:00": None,
    "2024-01-05 10:00 CST": None,
    "10.0.0.1": None,
    "1.2.3": None,
    "12:30": None,
    "Jan 2024": None,
    "45292": None,
    "soon": None,
}


@pytest.mark.parametrize("text", READINGS)
def test_each_reading(text):
    outcome = TimeReader("timestamp").read(text)
    assert (str(outcome.value) if outcome.value else None) == READINGS[text]
    assert bool(outcome.reason) == (READINGS[text] is None)


def settled(values, type_=None, **policy):
    evidence = TimeEvidence()
    for value in values:
        evidence.add(value, 1)
    return settle_times(TimeRepair(**policy), type_, evidence, (), "repair.t.c")


@pytest.mark.parametrize(
    ("witness", "expected"), [("25/04/2024", date(2024, 4, 3)), ("04/25/2024", date(2024, 3, 4))]
)
def test_the_column_tells_which_number_is_the_day(witness, expected):
    reader, doubts = settled(["03/04/2024", witness])
    assert reader.read("03/04/2024").value == expected and not doubts


@pytest.mark.parametrize("witnesses", [[], ["25/04/2024", "04/25/2024"], ["25.04.2024"]])
def test_a_day_that_nothing_tells_is_in_doubt(witnesses):
    reader, doubts = settled(["03/04/2024", *witnesses])
    assert doubts[0].severe and "repair.t.c.time.day_first" in doubts[0].reason
    assert "in doubt" in reader.read("03/04/2024").reason
    assert settled(["03/04/2024"], day_first=True)[0].read("03/04/2024").value == date(2024, 4, 3)


def test_times_without_a_zone_beside_some_with_are_told_and_a_zone_can_be_given():
    reader, doubts = settled(["2024-01-05 10:00", "2024-01-05T10:00:00+09:00"])
    assert [d.rule for d in doubts] == ["time zone"] and not doubts[0].severe
    assert reader.read("2024-01-05 10:00 ").value == datetime(2024, 1, 5, 10)
    reader, doubts = settled(["2024-01-05 10:00"], zone="Asia/Seoul", zones={"IST": "Asia/Kolkata"})
    assert reader.read("2024-01-05 10:00").value == datetime(2024, 1, 5, 1)
    assert reader.read("2024-01-05 10:00 IST").value == datetime(2024, 1, 5, 4, 30)
    assert reader.fast("x") == ""
    with pytest.raises(ValueError, match="'Mars' is no time zone"):
        settled([], zone="Mars")


def test_formats_of_the_policy_come_first_and_dates_lose_their_time():
    reader, _ = settled([], formats=["%y-%m-%d"], type_="date")
    assert reader.read("24-01-05").value == date(2024, 1, 5)
    cut = reader.read("2024-01-05 10:00 +00:00")
    assert cut.value == date(2024, 1, 5) and "cut" in cut.rule


STYLES = {
    "iso": lambda t: t.isoformat(sep=" "),
    "seoul": lambda t: t.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=9))).isoformat(),
    "german": lambda t: t.strftime("%d.%m.%Y %H:%M:%S"),
    "words": lambda t: t.strftime("%d %b %Y %H:%M:%S UTC"),
    "american": lambda t: t.strftime("%b %d, %Y %I:%M:%S %p"),
    "seconds": lambda t: str(int(t.replace(tzinfo=UTC).timestamp())),
    "korean": lambda t: t.strftime("%Y년 %m월 %d일 %H:%M:%S"),
}


@settings(max_examples=60, deadline=None)
@given(
    moment=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(lambda t: t.replace(microsecond=0)),
    style=st.sampled_from(sorted(STYLES)),
)
def test_every_style_reads_back_exactly(moment, style):
    assert TimeReader("timestamp").read(STYLES[style](moment)).value == moment
