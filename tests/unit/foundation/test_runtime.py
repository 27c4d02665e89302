"""What surrounds a component's work: exit codes, the last line, the record."""

import json
import math
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from evergreen.runtime import describe

CODE = """
from evergreen.runtime import task
from evergreen.errors import *
with task("demo", rows=3):
    {body}
"""


def run(tmp_path, body):
    environment = {**os.environ, "EVERGREEN_RUN_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(body=body)], capture_output=True, text=True, env=environment
    )
    return done, json.loads((tmp_path / "tasks" / "demo.json").read_text())


@pytest.mark.parametrize(
    "body,code,state",
    [
        ("raise GateStopped('auc is low')", 1, "stopped"),
        ("raise DataError('a.csv', 'no rows', 'at least one')", 2, "failed"),
        ("raise ConflictError('lost')", 3, "failed"),
        ("raise OSError(28, 'No space left on device', '/x')", 2, "failed"),
    ],
)
def test_a_known_error_ends_with_its_code_and_its_message_last(tmp_path, body, code, state):
    done, record = run(tmp_path, body)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert record["state"] == state and record["error"]["exit_code"] == code
    assert done.stderr.strip().splitlines()[-1] == record["error"]["message"]


def test_a_fault_keeps_its_traceback(tmp_path):
    done, record = run(tmp_path, "1 / 0")
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr
    assert record["state"] == "failed" and record["error"]["exit_code"] == 3
    assert "ZeroDivisionError" in record["error"]["traceback"]


def test_success_is_recorded_with_its_time(tmp_path):
    done, record = run(tmp_path, "pass")
    assert done.returncode == 0 and record["state"] == "succeeded" and record["seconds"] >= 0
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [e["event"] for e in events] == ["task started", "task succeeded"]
    assert events[0]["rows"] == 3


def test_metadata_hold_what_the_backend_takes():
    artifact = SimpleNamespace(metadata={"before": 1})
    describe(artifact, rows=3, best=None, value=math.nan, share=0.5, ok=False, name="", most=math.inf)
    assert artifact.metadata == {"before": 1, "rows": 3, "share": 0.5, "ok": False, "name": ""}
