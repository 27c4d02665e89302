"""What the push component does: version, aliases, record; once and again."""

import json
from pathlib import Path

import pytest
from sample_bundle import FAILED, PASSED, make_bundle

from evergreen import decisions
from evergreen.decisions import Decision
from evergreen.errors import ConflictError, DataError, GateStopped
from evergreen.registry import Registry, publish
from evergreen.storage.local import LocalStore


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(LocalStore(tmp_path / "store"))


def artifacts(folder: Path, content: str, decided: list[Decision], baseline: dict | None = None) -> dict:
    bundle = make_bundle(folder / content, content)
    metrics = {"roc_auc": {"value": 0.81234, "low": 0.79, "high": 0.83}, "f1": {"value": 0.5}}
    evaluation = {"task": "binary", "primary": "roc_auc", "baseline": baseline}
    evaluation["datasets"] = {"test": {"overall": {"rows": 100, "metrics": metrics}}}
    (folder / f"{content}.evaluation").write_text(json.dumps(evaluation))
    decisions.write(folder / f"{content}.decisions", decided)
    return {
        "bundle": bundle,
        "evaluation": folder / f"{content}.evaluation",
        "decided": folder / f"{content}.decisions",
    }


def test_a_promoted_model_stands_at_both_aliases(registry, tmp_path):
    first = publish(registry, "churn", **artifacts(tmp_path, "one", PASSED), snapshot="s1")
    assert (first.version.version, first.aliases) == (1, ("baseline", "candidate"))
    compared = {"digest": first.version.digest}
    second = publish(registry, "churn", **artifacts(tmp_path, "two", PASSED, compared))
    assert second.aliases == ("baseline", "candidate")
    assert registry.aliases("churn") == {"baseline": 2, "candidate": 2, "previous": 1}
    assert registry.history("churn")[0].evidence.endswith("models/churn/versions/000001/version.json")


def test_how_to_serve_it_comes_with_the_version(registry, tmp_path):
    settings = {"serving": {"log": {"exclude": ["age"]}}, "rollout": {}}
    pushed = publish(registry, "churn", **artifacts(tmp_path, "one", PASSED), settings=settings).version
    assert registry.version("churn", 1).settings == pushed.settings == settings
    path = tmp_path / "store/models/churn/versions/000001/version.json"
    record = json.loads(path.read_text())
    del record["settings"]  # pushed by an older Evergreen
    path.write_text(json.dumps(record))
    assert registry.version("churn", 1).settings == {}


def test_without_promotion_the_baseline_stays(registry, tmp_path):
    publish(registry, "churn", **artifacts(tmp_path, "one", PASSED))
    second = publish(registry, "churn", **artifacts(tmp_path, "two", PASSED), promote=False)
    assert second.aliases == ("candidate",)
    assert registry.aliases("churn") == {"baseline": 1, "candidate": 2}


def test_a_retry_changes_nothing(registry, tmp_path):
    given = artifacts(tmp_path, "one", PASSED)
    first = publish(registry, "churn", **given)
    history = registry.history("churn")
    assert publish(registry, "churn", **given) == first
    assert registry.history("churn") == history


def test_a_baseline_that_moved_since_the_comparison_is_not_replaced(registry, tmp_path):
    first = publish(registry, "churn", **artifacts(tmp_path, "one", PASSED))
    compared = {"digest": first.version.digest}
    two = artifacts(tmp_path, "two", PASSED, compared)
    publish(registry, "churn", **two)
    with pytest.raises(ConflictError, match="stands at version 2, which is not the model that version 3"):
        publish(registry, "churn", **artifacts(tmp_path, "three", PASSED, compared))
    assert registry.aliases("churn") == {"baseline": 2, "candidate": 3, "previous": 1}
    assert publish(registry, "churn", **two).aliases == ("baseline", "candidate")


def test_a_model_that_failed_is_nowhere(registry, tmp_path):
    with pytest.raises(GateStopped):
        publish(registry, "churn", **artifacts(tmp_path, "one", FAILED))
    assert registry.models() == []
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("artifact", ["evaluation", "decided"])
@pytest.mark.parametrize("content", [None, "", "[1]", "{", "7"])
def test_artifacts_that_are_none_are_named(registry, tmp_path, artifact, content):
    given = artifacts(tmp_path, "one", PASSED)
    given[artifact].unlink()
    if content is not None:
        given[artifact].write_text(content)
    with pytest.raises(DataError) as caught:
        publish(registry, "churn", **given)
    assert str(given[artifact]) in str(caught.value)


def test_the_record_says_it_all_and_no_cell_breaks_the_table(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("EVERGREEN_ACTOR", "a|b")
    odd = Decision("model", "psi(<x>|y)", "warn", "line one\nline `two` | three <script>", slice="city=A|B")
    published = publish(registry, "churn", **artifacts(tmp_path, "one", [*PASSED, odd]), snapshot="s1")
    record = published.record
    assert record.startswith("# churn@1\n")
    assert "| Aliases | baseline, candidate |" in record
    assert f"| Digest | `{published.version.digest}` |" in record
    assert "| Training set | `s1` |" in record
    assert "| roc_auc | 0.8123 | 0.79 … 0.83 |" in record
    assert "| f1 | 0.5 | – |" in record
    assert "| model | roc_auc min | overall | pass | roc_auc 0.81 is at least 0.7 |" in record
    assert "<script>" not in record
    for line in record.splitlines():
        if line.startswith("| model"):
            assert line.replace("\\|", "").count("|") == 6
