import json
import os
import stat
import threading

import pytest
from typer.testing import CliRunner

from evergreen.cli.app import app
from evergreen.errors import InputError
from evergreen.local import parts, servers
from evergreen.local.parts import Recipe
from evergreen.local.servers import Servers
from evergreen.local.standing import rollout, served
from evergreen.local.state import Folder, Routing, Running, State, server_name
from evergreen.local.watch import HANGS_SECONDS, START_SECONDS, Watch
from evergreen.project.model import Rollout, Serving
from evergreen.rollout.opening import Opening, opened
from evergreen.rollout.plan import RoutePlan, Target

OLD = {
    "host": "127.0.0.1", "kind": "seaweedfs", "program": "weed", "bucket": "evergreen", "s3_port": 9000,
    "model_port": 8080, "model": "coupons@baseline", "digest": "abc",
    "parts": {"s3": {"pid": 1, "born": "x", "started": 1.5}},
}  # fmt: skip
PLACES = Target(3, ("127.0.0.1:1",)), Target(4, ("127.0.0.1:2",))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "platform").mkdir()
    return Folder(tmp_path / "platform")


def state(**running) -> State:
    return State("127.0.0.1", "seaweedfs", "weed", "evergreen", 9000, parts=running)


def test_a_state_file_of_an_older_evergreen_is_read(folder):
    folder.state_file.write_text(json.dumps(OLD))
    found = folder.read()
    assert found.routing is None and found.parts["s3"] == Running(1, "x", 1.5) and found.model_port == 8080
    folder.write(found)
    assert folder.read() == found


def test_a_state_file_of_a_later_evergreen_is_refused_with_a_remedy(folder):
    folder.state_file.write_text(json.dumps({**OLD, "format": 99}))
    with pytest.raises(InputError, match=r"is of format 99; expected 2 or older\. Run `evergreen down`"):
        folder.read()


def test_a_routed_state_comes_back_as_it_was(folder):
    section = Serving(replicas=2).model_dump(mode="json")
    part = Running(
        os.getpid(), "never", 1.5, ("python", "-m", "x"), {"A": "b"}, "http://127.0.0.1:1", 2, "why", True
    )
    known = State(
        "127.0.0.1", "minio", "minio", "evergreen", 9000, parts={server_name("a_b", 3, 1): part},
        routing=Routing("a_b", 10_000, 2, section, Rollout().model_dump(mode="json"), 1.5),
    )  # fmt: skip
    folder.write(known)
    assert folder.read() == known


def test_a_part_that_is_started_again_keeps_its_place(folder):
    first, second = Running(1, "a", 1.0), Running(2, "b", 2.0)
    known = state(a=first, b=first).with_part("a", second)
    assert list(known.parts) == ["a", "b"] and known.parts["a"] == second
    assert list(known.with_part("a", None).parts) == ["b"]


def test_an_older_platform_gets_a_salt_once(folder):
    path = folder.path / "credentials.json"
    path.write_text(json.dumps({"access_key": "a", "secret_key": "s"}))
    found = folder.credentials()
    assert (found.access_key, len(found.salt)) == ("a", 64) and folder.credentials() == found
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_lock_that_is_held_is_not_waited_for_longer_than_asked(folder):
    with folder.locked() as held:
        assert held
        found = []

        def other():
            with folder.locked(0.05) as mine:
                found.append(mine)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert found == [False]
    with folder.locked(0.0) as held:
        assert held


def test_names_of_parts_make_names_of_logs(folder):
    assert folder.log(server_name("my_model", 8, 1)).name == "model-server-my_model@8-1.log"
    assert (
        folder.log("router #2").name == "router-2.log"
        and folder.log("model server").name == "model-server.log"
    )


def test_versions_do_not_mix_up_their_servers():
    one, eleven = server_name("m", 1, 1), server_name("m", 11, 1)
    known = state(
        **{name: Running(1, "", 0.0) for name in (one, eleven, server_name("mm", 1, 1), "model server")}
    )
    assert servers.of_version(known, "m", 1) == (one,)
    assert Servers("m", 1, 2).names == (one, server_name("m", 1, 2))


def test_what_dies_again_and_again_waits_longer_each_time():
    waits = [servers.wait(Running(1, "", 0.0, restarts=k)) for k in range(10)]
    assert waits[0] == 0.0 and waits == sorted(waits) and waits[-1] == 30.0
    assert servers.wait(Running(1, "", 0.0, failed="no such model")) == 30.0
    assert servers.lasted(Running(1, "", 0.0, restarts=5)).restarts == 0


def test_a_part_finds_its_port_again_and_no_two_parts_get_the_same(folder):
    ports = [servers.free_port(folder, state(), name) for name in ("a", "b", "c", "a")]
    assert ports[0] == ports[3] and len(set(ports)) == 3 and all(20_000 <= port < 32_000 for port in ports)
    taken = Running(1, "", 0.0, url=f"http://127.0.0.1:{ports[0]}")
    assert servers.free_port(folder, state(x=taken), "a") != ports[0]


def test_a_part_gets_secrets_by_its_environment_and_nothing_of_the_callers(folder, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "someone")
    monkeypatch.setenv("EVERGREEN_SERVING", "{}")
    secrets = folder.credentials()
    found = parts.environment(folder, state(), "router #1", Recipe(("x",), {"MINE": "1"}))
    assert (
        found["AWS_SECRET_ACCESS_KEY"] == secrets.secret_key and found["EVERGREEN_USER_SALT"] == secrets.salt
    )
    assert found["OMP_NUM_THREADS"] == "1" and found["MINE"] == "1"
    assert "AWS_PROFILE" not in found and "EVERGREEN_SERVING" not in found
    assert "EVERGREEN_USER_SALT" not in parts.environment(folder, state(), "s3", Recipe(("x",), {}))


@pytest.mark.parametrize(
    "changes,text",
    [
        ({"generation": 0}, ""),
        ({}, "m@3"),
        ({"candidate": PLACES[1], "share": 5.0}, "m@3, 5 % m@4"),
        ({"candidate": PLACES[1], "mirror": 100.0}, "m@3; 100 % copied to m@4"),
    ],
)
def test_what_is_served_in_one_line(changes, text):
    assert (
        served(RoutePlan(**{"model": "m", "rollout": "", "generation": 7, "baseline": PLACES[0], **changes}))
        == text
    )


def test_a_rollout_in_one_line():
    record = opened(Opening("m", 4, 3, 0, "me", "a reason"), Rollout(), Serving(), 1.0, None)
    assert rollout(record) == f"{record.id}: shadow 100 %, starting: a reason"


def test_a_part_hangs_when_it_was_silent_for_long_and_one_that_comes_up_has_more_time():
    watch, part = Watch(), Running(1, "a", 1000.0)
    assert not watch.hangs(part, lambda: False, 1000.0 + START_SECONDS)
    assert watch.hangs(part, lambda: False, 1001.0 + START_SECONDS + HANGS_SECONDS)
    assert not watch.hangs(part, lambda: True, 1010.0)
    assert not watch.hangs(part, lambda: False, 1010.0 + HANGS_SECONDS)
    assert not watch.hangs(Running(1, "b", 1030.0), lambda: False, 1050.0 + HANGS_SECONDS)
    assert watch.hangs(part, lambda: False, 1011.0 + HANGS_SECONDS)
    ending = Running(1, "c", 0.0, ending=True)
    assert not watch.hangs(ending, lambda: False, 10_000.0)


def test_options_of_the_router_need_it(tmp_path):
    done = CliRunner().invoke(app, ["up", "--home", str(tmp_path), "--routers", "2"])
    assert isinstance(done.exception, InputError) and "Add --router." in str(done.exception)
    assert not list(tmp_path.iterdir())
