"""What a rollout's record says at every phase: facts, JSON, lines, the screen at 80 columns."""

import io
import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rollout_world import GO, NOW, WAIT, World, record, settings
from story_world import story

from evergreen.errors import NotFoundError, StorageError
from evergreen.rollout import commands
from evergreen.rollout.evidence import LATENCY_EDGES
from evergreen.rollout.record import Event, Wish
from evergreen.rollout.view import data
from evergreen.rollout.view.facts import exit_code, facts_of, phase_words, reason_of
from evergreen.rollout.view.latency import quantile
from evergreen.rollout.view.lines import line_of, routers_words, served, status_lines
from evergreen.rollout.view.screen import screen
from evergreen.rollout.view.units import bounds, change, rate, shown, span, unit_of
from evergreen.rollout.view.watch import follow, lines_to, shown_on


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Records of one rollout at its stages, of one that was rolled back, and the times they were read at."""
    found = {}
    world = story(tmp_path_factory.mktemp("good"))
    id = world.begin().id
    controller = world.controller(readers=lambda model: world)
    for _ in range(80):
        world.traffic()
        world.looks(controller)
        now = world.states.read(id).record
        found.setdefault(f"{now.phase} {now.stage}", (now, world.clock.now))
        found[f"last {now.stage}"] = (now, world.clock.now)
        if now.ended:
            break
    bad = story(tmp_path_factory.mktemp("bad"), harm=6.0)
    found["bad"] = (bad.go("rolled_back", bad.begin().id), bad.clock.now)
    return found


def drawn(rollout, now, width=80):
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    console.print(screen(facts_of(rollout, now), width))
    return console.file.getvalue()


@pytest.mark.slow
def test_facts_follow_the_stages(told):
    shadow, at = told["last 0"]
    facts = facts_of(shadow, at)
    assert [s.place for s in facts.stages] == ["present", *["ahead"] * 5]
    assert facts.least == 5 and 0 <= facts.elapsed <= 5
    assert facts.missing[0].startswith("the stage needs") and facts.silent < 2
    assert [(r.name, r.confirmed) for r in facts.routers] == [("r1", True), ("r2", True)]
    canary, at = told["last 2"]
    facts = facts_of(canary, at)
    assert [s.place for s in facts.stages][:3] == ["passed", "passed", "present"]
    errors = next(c for c in facts.checks if c.decision.check == "errors")
    assert errors.baseline.endswith("%") and errors.candidate.endswith("%") and not errors.waits
    launched, at = told["launched 5"]
    assert {s.place for s in facts_of(launched, at).stages} == {"passed"}
    assert exit_code(launched) == 0 and facts_of(launched, at).missing == ()
    assert launched.evidence.passed[3].looks and launched.evidence.passed[0].users.pairs.pairs


@pytest.mark.slow
def test_a_rollback_says_what_began_it_and_leaves_the_stages_ahead_out(told):
    bad, at = told["bad"]
    assert exit_code(bad) == 1 and "errors" in reason_of(bad) and "more than +20 %" in reason_of(bad)
    facts = facts_of(bad, at)
    assert [s.place for s in facts.stages] == ["passed", "passed", "present", *["skipped"] * 3]
    assert served(bad.plan) == "everybody version 1"
    assert "rolled back" in drawn(bad, at) and "✕ errors" in drawn(bad, at)


@pytest.mark.slow
def test_json_has_its_keys_at_every_phase_and_no_number_that_json_lacks(told):
    known = set(data.status(*told["bad"]))
    for rollout, at in told.values():
        found = json.loads(json.dumps(data.status(rollout, at), allow_nan=False))
        assert set(found) == known and found["exit_code"] == exit_code(rollout)
        short = data.summary(rollout, at)
        assert set(short) < known and {k: found[k] for k in short} == json.loads(json.dumps(short))
    for key in known:
        assert key in data.__doc__, f"{key} is not documented"
    check = found["checks"][0]
    assert all(key in data.__doc__ for key in check)


def test_json_of_a_record_with_numbers_that_json_lacks():
    made = record(settings())
    made = replace(made, evidence=replace(made.evidence, queries={"q": float("nan")}), since=float("inf"))
    assert json.dumps(data.status(made, NOW), allow_nan=False)


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_screen_fits_its_terminal_and_holds_what_matters(told, width):
    for name, (rollout, at) in told.items():
        text = drawn(rollout, at, width)
        assert max(map(len, text.splitlines())) <= width, name
        if width < 80:
            continue
        for words in (rollout.id, served(rollout.plan), "users", "stage", "routers"):
            assert words in text, (name, words)
        if rollout.verdict and not rollout.ended:
            assert rollout.verdict.kind.replace("_", " ") in text
        assert len(text.splitlines()) <= 42, name
    live = drawn(*told["last 3"], max(width, 80))
    for words in (
        "▶ experiment 50 %",
        "50 % candidate",
        "click",
        "slow answers",
        "p99 latency",
        "of at least",
    ):
        assert words in live
    assert "experiment: " not in live and ("look" in live)


@pytest.mark.slow
def test_hostile_words_are_shown_as_they_are(told):
    rollout, at = told["last 2"]
    words = "[bold red]x[/] <script>\x1b[31m naïve – 収"
    event = Event(at, "paused", "canary 5 %", 5.0, words, words)
    rollout = replace(rollout, by=words, events=(event,), wish=Wish("pause", words, words, at))
    text = drawn(rollout, at, 200)
    assert "[bold red]x[/] <script>" in text and "\x1b" not in text
    assert not any("\x1b" in line for line in (*status_lines(facts_of(rollout, at)), line_of(rollout, at)))
    assert json.loads(json.dumps(data.status(rollout, at)))["wish"]["who"] == words


@pytest.mark.slow
def test_lines_say_where_it_stands_and_why(told):
    rollout, at = told["last 2"]
    text = "\n".join(status_lines(facts_of(rollout, at)))
    assert "canary 5 %, for" in text and "95 % version 1, 5 % version 2" in text
    assert line_of(rollout, at)[8:].startswith("  canary 5 %, running")
    silent = facts_of(replace(rollout, heartbeat=0.0), at)
    assert "is one running?" in routers_words(silent)
    held = replace(rollout, phase="held", waits="disturbed")
    assert phase_words(held) == "held for a person: the assignment of users was disturbed"


def test_a_deployment_has_no_stages():
    made = record(settings(), direct=True)
    facts = facts_of(made, NOW)
    assert facts.stages == () and facts.stage == "deployment" and "deployment" in drawn(made, NOW)
    assert data.status(made, NOW)["stage"]["kind"] == "deployment"


def test_following_says_a_line_on_every_change_and_ends_with_the_rollout(tmp_path):
    world = World(tmp_path, verdict=GO)
    made = commands.start(
        world.registry, world.states, "shop", 2, settings=settings(50), serving=_serving(), clock=world.clock
    )
    controller, said = world.controller(), []

    def look(rollout, now):
        lines_to(said.append)(rollout, now)
        world.looks(controller)

    ended = follow(world.states, made, look, every=0.0, clock=world.clock)
    assert ended.phase == "launched" and len(said) > 3
    again = []
    show = lines_to(again.append)
    for _ in range(3):
        show(ended, world.clock.now)
    assert len(again) == 1 and "launched" in again[0]


def test_following_ends_when_its_time_is_over_and_bears_a_store_that_stumbles(tmp_path):
    world = World(tmp_path, verdict=WAIT)
    made = commands.start(
        world.registry, world.states, "shop", 2, settings=settings(50), serving=_serving(), clock=world.clock
    )
    assert follow(world.states, made, lambda *_: None, every=0.001, timeout=0.01).phase == "starting"

    class Stumbling:
        left = 3

        def read(self, id):
            self.left -= 1
            if self.left > 0:
                raise StorageError("s3://x", "not reachable")
            return world.states.read(id)

    seen = []
    stumbling = Stumbling()
    follow(stumbling, made, lambda r, now: seen.append(r), every=0.0, done=lambda r: stumbling.left <= 0)
    assert len(seen) == 4
    world.states.remove(made.id)
    with pytest.raises(NotFoundError):
        follow(world.states, made, lambda *_: None, every=0.0)


@pytest.mark.slow
def test_a_terminal_gets_a_screen_and_a_pipe_gets_lines(told):
    rollout, at = told["last 2"]
    terminal = Console(file=io.StringIO(), force_terminal=True, width=80, height=50)
    with shown_on(terminal) as show:
        show(rollout, at)
    assert "▶ canary 5 %" in terminal.file.getvalue() and "\x1b[" in terminal.file.getvalue()
    pipe = Console(file=io.StringIO(), force_terminal=False, width=80)
    with shown_on(pipe) as show:
        show(rollout, at)
        show(rollout, at)
    assert len(pipe.file.getvalue().splitlines()) == 1 and "\x1b" not in pipe.file.getvalue()


@given(st.lists(st.floats(0.0005, 4.9), min_size=1, max_size=200), st.sampled_from([0.1, 0.5, 0.9, 0.99]))
def test_a_quantile_is_off_by_less_than_its_bin(values, share):
    counts = [0] * (len(LATENCY_EDGES) + 1)
    for value in values:
        counts[next(i for i, edge in enumerate(LATENCY_EDGES) if value <= edge)] += 1
    true = sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]
    upper = next(e for e in LATENCY_EDGES if true <= e)
    lower = max((e for e in LATENCY_EDGES if e < true), default=0.0)
    assert lower - 1e-9 <= quantile(counts, share) <= upper + 1e-9


def test_quantiles_of_nothing_and_of_what_is_too_slow():
    assert quantile((), 0.5) is None
    assert quantile([0] * len(LATENCY_EDGES) + [3], 0.5) == float("inf")


def test_numbers_in_their_units():
    assert shown(0.042, unit_of("errors")) == "+4.2 %" and shown(-0.5, unit_of("mean ctr")) == "−50 %"
    assert shown(0.5, unit_of("coverage")) == "50.0 %" and shown(None, "number") == "–"
    assert (
        shown(1234, unit_of("requests")) == "1,234" and shown(0.0004, unit_of("paired latency")) == "0.4 ms"
    )
    assert shown(-0.0004, "seconds") == "−0.4 ms" and shown(float("inf"), "relative") == "?"
    assert bounds((-0.1, 0.2), "relative") == "−10 % to +20 %" and bounds(None, "share") == ""
    assert change(0.0) == "0.0 %" and rate(1, 100_000) == "0.001 %" and rate(0, 0) == "–"
    assert span(72) == "0:01:12" and span(90_061) == "1 d 1:01:01"
    assert unit_of("psi of outputs") == "number" and unit_of("whatever") == "number"


def _serving():
    from evergreen.project.model import Serving

    return Serving()


random.seed(0)
