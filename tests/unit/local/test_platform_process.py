import os
import sys
import time
from pathlib import Path

import pytest

from evergreen.local import process
from evergreen.local.process import Process, birth, start, tail


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def python(code: str, log: Path, **variables: str) -> Process:
    return start([sys.executable, "-c", code], {**os.environ, **variables}, log)


def test_a_process_is_known_by_pid_and_birth(tmp_path):
    started = python("import time; time.sleep(100)", tmp_path / "log")
    assert started.alive()
    until(lambda: started.resident_bytes() > 1_000_000)
    assert not Process(started.pid, "another birth").alive()
    assert not Process(started.pid, "").alive()
    assert birth(os.getpid()) and birth(os.getpid()) != started.born
    started.stop()
    assert not started.alive() and birth(started.pid) == ""


def test_a_process_with_another_birth_is_not_stopped(tmp_path):
    started = python("import time; time.sleep(100)", tmp_path / "log")
    Process(started.pid, "another birth").stop()
    assert started.alive()
    started.stop()


def test_a_process_that_ignores_sigterm_is_killed_with_its_children(tmp_path):
    code = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child: print(child, flush=True)
time.sleep(100)
"""
    started = python(code, tmp_path / "log")
    until(lambda: (tmp_path / "log").read_text().strip())
    child = int((tmp_path / "log").read_text())
    begun = time.monotonic()
    started.stop(patience=0.3)
    assert time.monotonic() - begun < 15  # the patience that it has by default
    assert not started.alive()
    until(lambda: not birth(child))


def test_a_process_that_ended_is_not_alive_and_tells_its_code(tmp_path):
    started = python("raise SystemExit(2)", tmp_path / "log")
    until(lambda: started.exit_code() is not None)
    assert started.exit_code() == 2 and not started.alive()
    started.stop()


def test_a_zombie_is_not_alive(tmp_path):
    started = python("pass", tmp_path / "log")
    until(lambda: not started.alive())
    assert Path(f"/proc/{started.pid}").exists()
    assert started.exit_code() == 0


def test_output_goes_to_the_log_and_a_long_log_is_set_aside(tmp_path, monkeypatch):
    log = tmp_path / "logs" / "part.log"
    python("print('first')", log).child.wait()
    python("print('second')", log).child.wait()
    assert log.read_text() == "first\nsecond\n"
    monkeypatch.setattr(process, "_KEEP_LOG_BYTES", 5)
    python("print('third')", log).child.wait()
    assert log.read_text() == "third\n"
    assert log.with_name("part.log.1").read_text() == "first\nsecond\n"


def test_a_started_process_has_a_session_of_its_own_and_only_its_environment(tmp_path):
    code = "import os; print(os.getsid(0) == os.getpid(), os.environ.get('HOME'), os.environ['MINE'])"
    started = start([sys.executable, "-c", code], {"MINE": "1"}, tmp_path / "log")
    started.child.wait()
    assert (tmp_path / "log").read_text() == "True None 1\n"


def test_tail_shows_the_last_lines_since_an_offset(tmp_path):
    log = tmp_path / "log"
    log.write_text("old\n" + "".join(f"line {k}\n" for k in range(30)))
    assert tail(log, lines=2) == "\n  line 28\n  line 29"
    assert "old" not in tail(log, lines=100, start=4)
    assert tail(tmp_path / "none") == ""


def test_birth_can_be_asked_of_ps(tmp_path):
    if not process.shutil.which("ps"):
        pytest.skip("no ps here")
    started = python("import time; time.sleep(100)", tmp_path / "log")
    assert process._birth_by_ps(started.pid) == process._birth_by_ps(started.pid) != ""
    started.stop()
    assert process._birth_by_ps(started.pid) == ""
