"""The pipeline `rollout` as a user runs it: a real platform with router and controller, users who ask."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from rollout_place import EVERGREEN, PROJECT, Place, standing, users
from server_processes import until

from evergreen.rollout import commands
from evergreen.rollout.stores.local import LocalStates

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]
TASKS = [
    "resolve_model",
    "deploy_model",
    "start_rollout",
    "await_rollout",
    "judge_experiment",
    "conclude_rollout",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Version 1 is the baseline, version 2 the candidate, version 3 in the registry too."""
    with pytest.MonkeyPatch.context() as patch, standing(tmp_path_factory.mktemp("place"), patch) as found:
        candidate = found.push("multiclass", "second")
        found.registry.move("demo", "candidate", candidate, why="a test")
        found.push("regression", "third")
        yield found


def states(place: Place) -> LocalStates:
    return LocalStates(place.home / "rollouts")


def test_a_candidate_gets_to_all_users_and_nobody_sees_an_error(place):
    with users(place):
        done, run = place.run("out")
    assert done.returncode == 0, done.stderr
    assert [t["component"] for t in run["tasks"]] == TASKS
    assert set(place.statuses) == {200} and len(place.statuses) > 100
    servers, begun = place.outputs(run, "deploy_model"), place.outputs(run, "start_rollout")
    assert len(servers["endpoints"]) == 1 and servers["serves"] == "everybody version 1"
    assert begun["attached"] is False
    record = commands.status(states(place), begun["rollout"])
    assert record.phase == "launched" and record.metadata["run"] and record.plan.baseline.version == 2
    judged = place.outputs(run, "judge_experiment")
    assert judged["winner"] in ("candidate", "none") and isinstance(judged["relative"], float)
    assert "z at each look" in Path(judged["report"]).read_text()
    ended = place.outputs(run, "conclude_rollout")
    assert ended["phase"] == "launched" and json.loads(Path(ended["record"]).read_text())["id"] == record.id
    assert {d["check"]: d["verdict"] for d in run["decisions"]}["alias previous"] == "pass"
    aliases = place.registry.aliases("demo")
    assert (aliases["baseline"], aliases["previous"]) == (2, 1)
    shown = place.evergreen("rollout", "status", "demo", "--json")
    assert shown.returncode == 0 and json.loads(shown.stdout)["phase"] == "launched"
    assert place.evergreen("rollout", "report", "demo", "--html", "page.html").returncode == 0
    assert "Launched: version 2" in (place.path / "page.html").read_text()


def test_a_second_run_has_nothing_to_roll_out(place):
    done, run = place.run("again", "alias=baseline")
    assert done.returncode == 0, done.stderr
    assert place.outputs(run, "start_rollout")["rollout"] == ""
    assert place.outputs(run, "conclude_rollout")["phase"] == "unchanged"
    assert [d["verdict"] for d in run["decisions"]].count("skip") >= 3


def test_a_run_that_was_killed_attaches_and_an_abort_stops_it_with_the_reason(place):
    slow = PROJECT.replace("canary, share: 20, at_least: 1s", "canary, share: 20, at_least: 1h")
    place.project.write_text(slow)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "EVERGREEN_"))}
    words = ["run", "rollout", "--project", "project.yaml", "--param", "alias=1", "--param", "again=true"]
    with users(place):
        first = subprocess.Popen(
            [EVERGREEN, *words, "--root", "first"], cwd=place.path, env=environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        id = until(lambda: under_way(place), 120)
        first.send_signal(signal.SIGINT)
        assert first.wait(60) == 130
        assert not commands.status(states(place), id).ended
        _, late = place.run("late", "alias=1", "timeout=1")
        assert late["state"] == "failed" and late["error"]["task"] == "await-rollout"
        assert (
            f"Run the task again to go on waiting, or look: evergreen rollout watch {id}"
            in late["error"]["message"]
        )
        assert place.outputs(late, "start_rollout") | {"decisions": ""} == {
            "rollout": id, "attached": True, "decisions": ""
        }  # fmt: skip
        waiting = subprocess.Popen(
            [EVERGREEN, *words, "--root", "stopped"], cwd=place.path, env=environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(lambda: (place.path / "stopped" / "tasks" / "await-rollout.json").exists(), 120)
        assert place.evergreen("rollout", "abort", "demo", "--why", "wrong data").returncode == 0
        assert waiting.wait(120) == 1
    run = json.loads((place.path / "stopped" / "run.json").read_text())
    assert run["state"] == "stopped" and run["error"]["message"] == f"rollout {id} was aborted: wrong data"
    assert (
        "Aborted: every user has version 2 again"
        in Path(place.outputs(run, "await_rollout")["report"]).read_text()
    )
    assert set(place.statuses) == {200}
    assert place.evergreen("rollout", "status", "demo").returncode == 1


def under_way(place: Place) -> str:
    found = states(place).current("demo")
    return found.record.id if found and not found.record.ended and found.record.phase == "running" else ""


def test_a_number_is_text_where_the_pipeline_wants_text():
    from pipelines.__main__ import as_declared
    from pipelines._catalog import load_pipeline

    spec = load_pipeline("rollout").pipeline_spec
    given = {"alias": 3, "again": True, "timeout": 5, "why": "x", "store": None}
    assert as_declared(spec, given) == {**given, "alias": "3", "store": "null"}
    assert isinstance(as_declared(spec, given)["timeout"], float)
