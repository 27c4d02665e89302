"""The page of a rollout: what it says at every end, nothing escapes it, it fits wide and narrow windows."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from rollout_world import NOW, record, settings
from story_world import story

from evergreen.errors import NotFoundError, StorageError
from evergreen.project.model.rollout import Stage
from evergreen.rollout.evidence import Outputs
from evergreen.rollout.outcome import outcome_of
from evergreen.rollout.report import charts
from evergreen.rollout.report.archive import decisions_of, record_of
from evergreen.rollout.report.page import rollout_page
from evergreen.rollout.report.story import Moment, story_of

SECTIONS = ["Result", "Course", "Bad requests", "Latency", "Shadow and dark", "Answers", "Experiment",
            "Averages over users", "Who saw what", "Checks of the last verdict", "Decisions", "Events",
            "The way back"]  # fmt: skip
VOID = {"meta", "link", "input", "br", "path", "rect", "circle"}
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&<style>"


class Balanced(HTMLParser):
    """Text, tags, and elements that are closed out of turn."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.faults, self.words = [], [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.faults.append(tag)

    def handle_data(self, data):
        self.words += data


def parsed(html):
    reader = Balanced()
    reader.feed(html)
    reader.close()
    assert not reader.faults and not reader.open, (reader.faults, reader.open)
    return reader


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    world = story(tmp_path_factory.mktemp("good"), lift=1.4)
    return world, world.go("launched", world.begin().id)


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    world = story(tmp_path_factory.mktemp("bad"), harm=6.0)
    return world, world.go("rolled_back", world.begin().id)


def page_of(told):
    world, rollout = told
    return rollout_page(rollout, decisions_of(world.store, rollout), world.clock.now)


def headings(html):
    return re.findall(r"<h2[^>]*>([^<]*)</h2>", html)


@pytest.mark.slow
def test_a_launch_is_told_from_begin_to_end(good):
    html = page_of(good)
    words = parsed(html).words
    assert headings(html) == SECTIONS
    assert "Launched: version 2 is the baseline" in words
    for text in ("trained on <March> & more", "shadow 100 %", "experiment 50 %", "canary 100 %", "soak",
                 "Rows that are answered differently", "training labels", "<b>&maybe", "z at each look",
                 "evergreen rollout restore shop", "No user went from the candidate back", "looks were taken",
                 "Users with the candidate", "ada"):  # fmt: skip
        assert text in words, text
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "") and "https://" not in html
    assert len(html) < 400_000


@pytest.mark.slow
def test_a_rollback_says_what_it_was_and_that_users_are_safe(bad):
    html = page_of(bad)
    words = parsed(html).words
    assert "Rolled back: every user has version 1 again. Errors" in words and "more than +20 %" in words
    assert "Experiment" not in headings(html)
    assert "evergreen rollout start shop@2 --again" in words
    assert re.search(r'class="banner fail"', html)


@pytest.mark.slow
def test_the_same_record_gives_the_same_bytes(good):
    assert page_of(good) == page_of(good)


@pytest.mark.slow
def test_without_decisions_the_record_tells_by_itself(good):
    _, rollout = good
    html = rollout_page(rollout)
    assert "Decisions" not in headings(html) and "Course" in headings(html)
    assert [s.name for s in story_of(rollout, (), NOW).stages] == [
        "shadow 100 %", "dark 100 %", "canary 5 %", "experiment 50 %", "canary 100 %", "soak"
    ]  # fmt: skip


@pytest.mark.slow
def test_the_story_has_each_stage_with_its_own_evidence(good):
    world, rollout = good
    told = story_of(rollout, decisions_of(world.store, rollout), world.clock.now)
    began = [s.began for s in told.stages]
    assert began == sorted(began) and all(s.ended and s.ended >= s.began and s.left for s in told.stages)
    shadow, dark, canary, trial, _, soak = told.stages
    assert shadow.users.pairs.pairs and dark.users.outputs.arms["shadow"] and not canary.users.pairs.pairs
    assert trial.looks and not canary.looks and soak.stage is None
    assert [m.share for m in told.moments][-1] == 100.0
    assert {m.mirror for m in told.moments} == {0.0, 100.0}
    assert canary.users.exposed["candidate"] < trial.users.exposed["candidate"]


@pytest.mark.slow
def test_the_story_of_a_rollback_ends_with_share_0(bad):
    world, rollout = bad
    told = story_of(rollout, decisions_of(world.store, rollout), world.clock.now)
    assert told.moments[-1] == Moment(told.moments[-1].at, 0.0, 0.0)
    assert told.stages[-1].left.startswith("errors")


def test_a_rollout_that_has_just_begun_has_a_page():
    for made in (record(settings()), record(settings(), direct=True)):
        html = rollout_page(made, (), NOW)
        parsed(html)
        assert "The way back" in headings(html) and "Starting" in html


@pytest.mark.slow
def test_nothing_escapes_the_page(good):
    world, rollout = good
    events = tuple(replace(e, reason=HOSTILE, who=HOSTILE) for e in rollout.events)
    last = rollout.evidence.users
    outputs = Outputs((HOSTILE, "b"), (0.5, 0.5), {"baseline": (10, 5), "candidate": (9, 5)})
    evidence = replace(
        rollout.evidence, users=replace(last, outputs=outputs, metrics={HOSTILE: _metric(good)}), passed=()
    )
    decisions = [
        {**d, "reason": HOSTILE, "who": HOSTILE, "what": HOSTILE} for d in decisions_of(world.store, rollout)
    ]
    made = replace(rollout, events=events, by=HOSTILE, model="shop", evidence=evidence)
    for html in (rollout_page(made, (), NOW), rollout_page(made, decisions, NOW)):
        reader = parsed(html)
        assert "img" not in reader.tags and reader.tags.count("style") == reader.tags.count("script") == 1
        assert HOSTILE in reader.words


def _metric(good):
    for passed in good[1].evidence.passed:
        if "click" in passed.users.metrics:
            return passed.users.metrics["click"]
    raise AssertionError


@pytest.mark.slow
def test_decisions_of_another_version_or_by_hand_do_not_break_the_page(good):
    world, rollout = good
    odd = [
        {**d, "verdict": {"checks": [{"gate": 1}, {"what": "?"}]}} for d in decisions_of(world.store, rollout)
    ]
    parsed(rollout_page(rollout, odd, NOW))


@pytest.mark.slow
def test_decisions_come_from_the_store_and_the_outbox_once_each(good):
    world, rollout = good
    found = decisions_of(world.store, rollout)
    assert [d["number"] for d in found] == list(range(1, rollout.decided + 1))
    again = replace(rollout, outbox=(found[-1], {**found[-1], "number": rollout.decided + 1}))
    assert len(decisions_of(world.store, again)) == rollout.decided + 1
    key = f"rollouts/{rollout.id}/decisions/00001-begun.json"
    whole = world.store.read(key)
    world.store.write(key, b"{ torn")
    assert [d["number"] for d in decisions_of(world.store, rollout)] == list(range(2, rollout.decided + 1))
    world.store.write(key, whole)


@pytest.mark.slow
def test_a_record_that_the_state_forgot_is_read_from_the_store(good):
    world, rollout = good
    kept = json.loads(world.store.read(f"rollouts/{rollout.id}/record.json"))
    gone = kept["id"].replace(rollout.id[-6:], "abcdef")
    kept["id"], kept["evidence"]["queries"] = gone, {"q": "nan"}
    world.store.write(f"rollouts/{gone}/record.json", json.dumps(kept).encode())
    found = record_of(world.states, world.store, gone)
    assert found.id == gone and found.candidate == 2
    parsed(rollout_page(found))
    world.store.write(f"rollouts/{gone}/record.json", b"{}")
    with pytest.raises(StorageError, match="not a rollout's record"):
        record_of(world.states, world.store, gone)
    with pytest.raises(NotFoundError):
        record_of(world.states, world.store, "shop-9-abcdef")


STAGE = Stage(
    kind="experiment", users=1000, looks=4, success=[{"event": "click"}, {"event": "buy", "per": "user"}]
)


def look(users, click, buy):
    return {"users": users, "z click": click, "margin click": click + 1, "relative click": click / 100,
            "z buy/user": buy, "margin buy/user": buy + 1}  # fmt: skip


@pytest.mark.parametrize(
    ("looks", "winner"),
    [
        ((), "none"),
        ((look(250, 0.1, 0.2),), "none"),
        ((look(250, 5.5, 0.2),), "candidate"),
        ((look(250, 5.5, 0.2), look(500, 0.0, 0.1)), "candidate"),
        ((look(250, -7.5, 0.2),), "baseline"),
        ((look(250, 5.5, -7.5),), "baseline"),
        ((look(250, 1.0, 0.2), look(1000, 2.0, 2.0)), "none"),
        ((look(250, 1.0, 0.2), look(1000, 2.6, 0.0)), "candidate"),
    ],
)
def test_who_won(looks, winner):
    found = outcome_of(STAGE, looks)
    assert found.winner == winner and found.taken == len(looks)
    times = [t for t, _ in found.bounds]
    assert times == sorted(times) and times[-1] >= 1
    bounds = [b for _, b in found.bounds]
    assert all(a > b for a, b in pairwise(bounds))


def test_the_charts_draw_nothing_that_is_no_number():
    nan = float("nan")
    for svg in (
        charts.looks({"a<b": [(0.2, nan), (0.5, 99.0)]}, [(0.2, 8.5), (1.0, 2.0)], "t<t"),
        charts.looks({}, [(1.0, 2.0)], "none"),
        charts.shares([], 10.0, [], "none"),
        charts.shares([Moment(0, 0, 100), Moment(5, 5, 0)], 9.0, [(1.0, "held", "<why>")], "shares"),
        charts.shares([Moment(0, 5, 0)], 0.0, [], "no time"),
    ):
        reader = parsed(svg)
        assert "nan" not in svg and "inf" not in svg and reader.tags[0] == "svg"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium")
@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_fits_its_window(good, tmp_path, width):
    told = (
        '<script>addEventListener("load",()=>{document.title="W"+document.documentElement.scrollWidth})'
        "</script>"
    )
    frame = (
        f'<!doctype html><body style="margin:0"><iframe id="f" style="border:0;width:{width}px;height:900px">'
    )
    inner = page_of(good).replace(
        "</body>", told.replace("document.title", "parent.document.title") + "</body>"
    )
    (tmp_path / "inner.html").write_text(inner)
    outer = frame.replace('id="f"', 'src="inner.html"') + "</iframe>"
    (tmp_path / "outer.html").write_text(outer)
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--allow-file-access-from-files", f"--user-data-dir={tmp_path / 'profile'}",
         "--window-size=1400,1000", "--virtual-time-budget=3000", "--dump-dom", f"file://{tmp_path}/outer.html"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    found = re.search(r"<title>W(\d+)</title>", done.stdout)
    assert found, done.stderr[-500:]
    assert int(found[1]) <= width
