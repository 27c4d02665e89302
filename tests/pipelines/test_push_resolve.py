"""push_model and resolve_model as KFP runs them: a model goes in, the same bytes come out."""

import json
from pathlib import Path

import pytest
from kfp import dsl, local

from components.deployment.push_model.component import push_model
from components.deployment.resolve_model.component import resolve_model

pytestmark = pytest.mark.pipeline

PROJECT = """
version: 1
name: churn
sources: {customers: {path: customers.csv}}
entity: customer
label: {source: customers, column: churned}
features: [{name: all, source: customers, columns: "*"}]
"""


@dsl.component
def make_model(
    verdict: str, content: str, model: dsl.Output[dsl.Model], evaluation: dsl.Output[dsl.Artifact],
    decisions: dsl.Output[dsl.Artifact],
):  # fmt: skip
    import json
    from pathlib import Path

    from evergreen import decisions as records
    from evergreen.bundle import manifest

    folder = Path(model.path)
    folder.mkdir(parents=True)
    for name in ("model.skops", "parity.json", "signature.json", "training.json"):
        (folder / name).write_text(json.dumps({"content": content}))
    manifest.write(folder)
    Path(evaluation.path).write_text(json.dumps({"task": "binary", "primary": "f1", "datasets": {}}))
    decided = [records.Decision("model", "f1 min", verdict, f"f1 is a {verdict}")]
    records.write(Path(decisions.path), decided)


@dsl.pipeline
def push_and_resolve(project: str, verdict: str, content: str, store: str, promote: bool):
    before = resolve_model(name="churn", store=store, required=False, project=project)
    made = make_model(verdict=verdict, content=content).after(before)
    pushed = push_model(
        project=project,
        model=made.outputs["model"],
        evaluation=made.outputs["evaluation"],
        decisions=made.outputs["decisions"],
        store=store,
        promote=promote,
        snapshot="s1",
    )
    resolve_model(name="churn", alias="candidate", store=store).after(pushed)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the pipeline; returns the folder of each of its outputs by task."""
    for name in ("EVERGREEN_STORE", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EVERGREEN_RUN_DIR", str(tmp_path / "run"))

    def run(verdict: str = "pass", content: str = "a", promote: bool = True) -> dict[str, dict]:
        root = tmp_path / f"outputs-{verdict}-{content}-{promote}"
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root))
        push_and_resolve(
            project=PROJECT, verdict=verdict, content=content, store=str(tmp_path / "store"), promote=promote
        )
        records = [json.loads(p.read_text()) for p in (tmp_path / "run" / "tasks").glob("*.json")]
        return {record["task"]: record for record in records}

    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def output(record: dict, name: str) -> Path:
    (found,) = Path(record["folder"]).glob(f"**/{name}")
    return found


def test_a_model_goes_in_and_the_same_bytes_come_out(run, tmp_path):
    first = run(content="a")
    assert {task: record["state"] for task, record in first.items()} == {
        "resolve-model": "succeeded",
        "push-model": "succeeded",
        "resolve-model-2": "succeeded",
    }
    assert contents(output(first["resolve-model"], "model")) == {}
    fetched = output(first["resolve-model-2"], "model")
    (made,) = Path(first["push-model"]["folder"]).parent.glob("make-model/**/model")
    assert contents(fetched) == contents(made)
    record = output(first["push-model"], "record").read_text()
    digest = json.loads((made / "manifest.json").read_text())["digest"]
    assert "| Version | 1 |" in record
    assert "| Aliases | baseline, candidate |" in record
    assert digest in record
    assert "f1 is a pass" in record

    second = run(content="b", promote=False)
    assert contents(output(second["resolve-model"], "model")) == contents(fetched)
    assert "| Aliases | candidate |" in output(second["push-model"], "record").read_text()


def test_a_model_that_a_gate_said_no_to_stops_the_run_with_its_reason(run, tmp_path):
    with pytest.raises(Exception, match="push-model"):
        run(verdict="fail")
    (record,) = [json.loads(p.read_text()) for p in (tmp_path / "run" / "tasks").glob("push-model.json")]
    assert (record["state"], record["error"]["exit_code"]) == ("stopped", 1)
    assert "f1 is a fail" in record["error"]["message"]
    assert not (tmp_path / "store").exists()


def test_a_required_model_that_is_not_there_fails_with_what_to_do(run, tmp_path):
    @dsl.pipeline
    def resolve_only(store: str):
        resolve_model(name="churn", store=store)

    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "outputs"))
    with pytest.raises(Exception, match="resolve-model"):
        resolve_only(store=str(tmp_path / "store"))
    record = json.loads((tmp_path / "run" / "tasks" / "resolve-model.json").read_text())
    assert record["error"]["exit_code"] == 2
    assert "Run the train pipeline first" in record["error"]["message"]
