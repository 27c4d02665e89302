"""Projects on scikit-learn's bundled data, made and run by the commands a user types."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

EVERGREEN = str(Path(sys.executable).with_name("evergreen"))


@dataclass(frozen=True)
class Outcome:
    """A finished command, and the run's record where there is one."""

    code: int
    out: str
    err: str
    run: dict[str, Any] | None


@dataclass(frozen=True)
class Workplace:
    """A folder with its own store; commands run inside it."""

    path: Path

    def evergreen(self, *arguments: str, **variables: str) -> Outcome:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "EVERGREEN_"))}
        done = subprocess.run(
            [EVERGREEN, *map(str, arguments)], cwd=self.path, capture_output=True, text=True,
            env={**environment, **variables}, timeout=600,
        )  # fmt: skip
        record = self.path / "out" / "run.json"
        run = json.loads(record.read_text()) if arguments[0] == "run" and record.exists() else None
        return Outcome(done.returncode, done.stdout, done.stderr, run)

    def init(self, data: Path, label: str, *extra: str) -> Path:
        done = self.evergreen("init", "project", "--data", str(data), "--label", label, *extra)
        assert done.code == 0, done.err
        return self.path / "project" / "project.yaml"

    def train(self, project: Path, *extra: str) -> Outcome:
        return self.evergreen("run", "train", "--project", str(project), "--root", "out", *extra)


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)
