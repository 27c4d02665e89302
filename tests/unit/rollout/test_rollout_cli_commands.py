"""The commands about rollouts, typed as a user would, on a real registry, records and controller."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from rollout_world import GO, WAIT, Clock, World

from evergreen.cli.__main__ import run
from evergreen.rollout import commands
from evergreen.rollout.record import RolloutRecord

PROJECT = """
version: 1
name: shop
sources: {t: {path: t.csv}}
entity: who
label: {source: t, column: buys}
features: [{name: f, source: t, columns: "*"}]
storage: {root: STORE}
rollout:
  soak: 0s
  stages: [{kind: canary, share: 20, at_least: 0s}, {kind: canary, share: 100, at_least: 0s}]
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a project, a registry and records where the commands look for them by themselves."""
    for name in [n for n in os.environ if n.startswith(("AWS_", "EVERGREEN_", "KUBERNETES_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    world = World(tmp_path, verdict=WAIT, clock=_Now())
    from evergreen.rollout.stores.local import LocalStates

    world.states = LocalStates(tmp_path / ".evergreen" / "rollouts")
    (tmp_path / "project.yaml").write_text(PROJECT.replace("STORE", str(tmp_path / "store")))
    world.typed = Typed(world)
    return world


class _Now(Clock):
    """Commands write with the real clock."""

    def __call__(self) -> float:
        import time

        return time.time() + (self.now - 1_800_000_000.0)


class Typed:
    """Runs commands and keeps what they printed."""

    def __init__(self, world):
        self.world, self.out, self.err = world, "", ""

    def __call__(self, capsys, *words, code=0):
        found = run(["rollout", *words, "--project", "project.yaml"])
        self.out, self.err = capsys.readouterr()
        assert found == code, (words, found, self.out, self.err)
        return self.out


def current(world) -> RolloutRecord:
    return world.states.current("shop").record


def test_a_rollout_from_start_to_launch_by_commands(place, capsys):
    out = place.typed(capsys, "start", "shop@2", "--why", "better", "--who", "ada")
    id = current(place).id
    assert f"{id} has begun: version 2 against version 1" in out and "evergreen rollout watch shop" in out
    assert "is under way already" in place.typed(capsys, "start", "shop@2")
    assert [s.percent for s in _stages(current(place))] == [20, 100]
    controller = place.controller()
    place.looks(controller, 3)
    assert "canary 20 %" in place.typed(capsys, "status", "shop")
    found = json.loads(place.typed(capsys, "status", "--json"))
    assert (found["id"], found["phase"], found["share"], found["by"]) == (id, "running", 20.0, "ada")
    place.typed(capsys, "pause", "shop", "--why", "freeze", "--who", "bob")
    place.looks(controller)
    assert current(place).phase == "paused" and current(place).events[-1].reason == "freeze"
    assert current(place).events[-1].who == "bob"
    place.typed(capsys, "resume", id)
    place.looks(controller)
    place.typed(capsys, "promote", "shop", "--why", "I know better")
    place.looks(controller, 2)
    assert current(place).plan.share == 100.0
    place.verdict = GO
    place.until(controller, "launched", id)
    assert place.typed(capsys, "watch").count("launched") >= 1
    assert "launched" in place.typed(capsys, "wait", id)
    rows = json.loads(place.typed(capsys, "history", "shop", "--json"))
    assert [(r["id"], r["phase"], r["exit_code"]) for r in rows] == [(id, "launched", 0)]
    assert f"{id}" in place.typed(capsys, "history") and "1 → 2" in place.typed.out
    place.typed(capsys, "report", id, "--html", "page.html")
    assert "Launched: version 2" in Path("page.html").read_text()


def _stages(record):
    from evergreen.rollout import plans

    return plans.settings_of(record).stages


def test_what_is_taken_back_ends_with_1_and_says_why(place, capsys):
    place.typed(capsys, "start", "shop@2")
    controller = place.controller()
    place.looks(controller, 3)
    place.typed(capsys, "abort", "shop", "--why", "wrong data")
    id = current(place).id
    place.until(controller, "aborted", id)
    out = place.typed(capsys, "status", "shop", code=1)
    assert "aborted" in out and "wrong data" in out
    assert json.loads(place.typed(capsys, "status", id, "--json", code=1))["exit_code"] == 1
    assert "wrong data" in place.typed(capsys, "watch", id, code=1)
    place.typed(capsys, "wait", id, code=1)
    place.typed(capsys, "start", "shop@2", code=2)
    assert "was aborted before" in place.typed.err and "--again" in place.typed.err
    assert "has begun" in place.typed(capsys, "start", "shop@2", "--again")


def test_going_back_to_the_version_before(place, capsys):
    place.typed(capsys, "restore", "shop", code=2)
    assert "no `previous` version" in place.typed.err
    place.verdict = GO
    place.typed(capsys, "start", "shop@2")
    controller = place.controller()
    place.until(controller, "launched", current(place).id)
    assert place.registry.aliases("shop")["previous"] == 1
    assert "users get version 1 again" in place.typed(capsys, "restore", "shop", "--why", "complaints")
    place.until(controller, "launched", current(place).id)
    assert place.registry.aliases("shop")["baseline"] == 1
    place.typed(capsys, "start", "shop@3")
    place.verdict = WAIT
    place.looks(controller, 3)
    assert "is being aborted" in place.typed(capsys, "restore", "shop")


def test_a_first_version_is_deployed(place, capsys):
    out = place.typed(capsys, "deploy", "shop@1", "--why", "first")
    assert "version 1 is to be the baseline" in out
    place.until(place.controller(), "launched", current(place).id)
    assert current(place).direct and "deployment" in place.typed(capsys, "status", "shop")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("status",), "evergreen rollout start MODEL"),
        (("status", "shop"), "evergreen rollout start"),
        (("watch", "shop-2-abcdef"), "none of that id or model"),
        (("pause", "shop"), "none of that id or model"),
        (("start", "shop@1"), "is the baseline already"),
        (("start", "shop@9"), "9"),
        (("start", "nothing"), "nothing"),
        (("report", "shop"), "none of that id or model"),
    ],
)
def test_bad_input_ends_with_2_and_says_what_to_do(place, capsys, words, said):
    place.typed(capsys, *words, code=2)
    assert said in place.typed.err and "fault" not in place.typed.err


def test_an_order_that_makes_no_sense_is_refused(place, capsys):
    place.typed(capsys, "start", "shop@2")
    place.typed(capsys, "resume", "shop", code=2)
    assert "the rollout is starting" in place.typed.err


def test_no_rollouts_is_no_fault(place, capsys):
    assert "no rollouts" in place.typed(capsys, "history")
    assert json.loads(place.typed(capsys, "history", "--json")) == []


def test_waiting_longer_than_allowed_ends_with_3_and_leaves_the_rollout_alone(place, capsys):
    place.typed(capsys, "start", "shop@2")
    place.typed(capsys, "wait", "shop", "--timeout", "0.01", code=3)
    assert "goes on" in place.typed.err and current(place).phase == "starting"


def test_the_state_is_where_it_is_said_to_be(place, capsys, tmp_path, monkeypatch):
    place.typed(capsys, "start", "shop@2", "--home", "elsewhere")
    assert len(list((tmp_path / "elsewhere" / "rollouts").glob("*.json"))) == 1
    place.typed(capsys, "start", "shop@2", "--state", str(tmp_path / "third"))
    assert len(list((tmp_path / "third").glob("*.json"))) == 1
    monkeypatch.setenv("EVERGREEN_ROLLOUT_STATE", str(tmp_path / "fourth"))
    place.typed(capsys, "start", "shop@2", "--home", "elsewhere")
    assert len(list((tmp_path / "fourth").glob("*.json"))) == 1
    assert commands.history(place.states) == []


def test_without_a_project_the_settings_of_the_last_rollout_hold(place, capsys, monkeypatch):
    place.verdict = GO
    place.typed(capsys, "start", "shop@2")
    place.until(place.controller(), "launched", current(place).id)
    monkeypatch.setenv("EVERGREEN_STORE", "store")
    assert run(["rollout", "start", "shop@3"]) == 0
    assert [s.percent for s in _stages(current(place))] == [20, 100]


def test_interrupting_the_view_leaves_the_rollout_alone(place, capsys, monkeypatch):
    place.typed(capsys, "start", "shop@2")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("evergreen.rollout.view.watch.follow", interrupted)
    place.typed(capsys, "watch", "shop", code=130)
    assert "goes on" in place.typed.err and current(place).wish is None


def test_watch_follows_to_the_end(place, capsys):
    place.typed(capsys, "start", "shop@2")
    place.verdict = GO
    controller, stop = place.controller(), threading.Event()

    def lead():
        while not stop.wait(0.02):
            place.looks(controller)

    thread = threading.Thread(target=lead)
    thread.start()
    try:
        out = place.typed(capsys, "watch", "shop", "--timeout", "120")
    finally:
        stop.set()
        thread.join()
    assert out.splitlines()[-1].split()[1] == "launched"


def test_the_command_line_starts_without_what_only_rollouts_need():
    code = (
        "import sys, evergreen.cli.app; "
        "print([m for m in ('rich.live', 'duckdb', 'scipy', 'numpy', 'msgspec', 'pydantic', "
        "'evergreen.rollout.commands', 'evergreen.reports.page') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_every_command_has_help_with_an_example(capsys):
    names = ["start", "deploy", "status", "watch", "wait", "pause", "resume", "promote", "abort", "history",
             "restore", "report"]  # fmt: skip
    for name in names:
        assert run(["rollout", name, "--help"]) == 0
        assert f"evergreen rollout {name}" in capsys.readouterr().out
