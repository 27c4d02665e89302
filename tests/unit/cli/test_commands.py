"""The command line's own part: help, exit codes, parameters, the record of a run."""

import json
import subprocess
import sys

import pytest

from evergreen.cli.__main__ import run
from evergreen.cli.runs import parse_parameters
from evergreen.errors import InputError
from evergreen.local.results import collect
from evergreen.local.run import exit_code

COMMANDS = ["init", "check", "run", "compile", "submit", "report", "up", "down", "status", "serve", "models"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command, capsys):
    assert run([command, "--help"]) == 0
    assert "Example: evergreen" in capsys.readouterr().out


def test_unknown_command_and_option_are_bad_input(capsys):
    assert run(["nonsense"]) == 2
    assert run(["run", "train"]) == 2
    assert run(["models", "--nonsense"]) == 2


def test_unknown_pipeline_is_named_with_those_that_exist(capsys, tmp_path):
    assert run(["run", "trian", "--project", str(tmp_path / "p.yaml")]) == 2
    message = capsys.readouterr().err
    assert "trian" in message and "Did you mean 'train'?" in message


def test_parameters():
    assert parse_parameters(["a=1", "b=true", "c=2024-01-01", "d=[0,1]", "e=x=y"]) == {
        "a": 1, "b": True, "c": "2024-01-01", "d": [0, 1], "e": "x=y",
    }  # fmt: skip
    with pytest.raises(InputError, match="K=V"):
        parse_parameters(["oops"])


def test_module_entry_point():
    done = subprocess.run(
        [sys.executable, "-m", "evergreen.cli", "--version"], capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.strip()


def record(root, name, state, **more):
    folder = root / "artifacts" / name
    folder.mkdir(parents=True)
    base = {
        "name": name.replace("-", "_"),
        "task": name,
        "folder": str(folder),
        "started": 1.0,
        "seconds": 0.5,
    }
    return {name: {**base, "state": state, **more}}


def test_a_run_that_a_gate_stopped(tmp_path):
    (tmp_path / "arguments.json").write_text('{"name": "m"}')
    error = {"type": "GateStopped", "message": "auc is low", "exit_code": 1}
    records = record(tmp_path, "ingest-data", "succeeded") | record(
        tmp_path, "compare-models", "stopped", error=error
    )
    decisions = [{"gate": "model", "verdict": "fail"}]
    (tmp_path / "artifacts" / "compare-models" / "decisions").write_text(json.dumps(decisions))
    result = collect("train", tmp_path, records, 3, 1.0)
    assert result["state"] == "stopped" and exit_code(result) == 1
    assert result["decisions"] == decisions
    assert result["error"]["task"] == "compare-models"


def test_a_task_that_was_killed_is_a_fault(tmp_path):
    (tmp_path / "run.log").write_text("killed\n")
    result = collect("train", tmp_path, record(tmp_path, "train-model", "running"), -9, 1.0)
    assert result["state"] == "failed" and exit_code(result) == 3


def test_a_process_that_failed_before_any_task(tmp_path):
    (tmp_path / "run.log").write_text("parameter promot: the pipeline has no such parameter\n")
    result = collect("train", tmp_path, {}, 2, 1.0)
    assert exit_code(result) == 2 and "promot" in result["error"]["message"]
