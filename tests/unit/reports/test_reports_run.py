"""The page of a run, from a record on disk: verdict, timeline, embedded reports, and what is missing."""

import html as escaping
import re
from pathlib import Path

from evergreen.reports.page import Section, page, text
from evergreen.reports.run import MOST_REPORT_BYTES, run_report


def a_run(folder: Path, **changes) -> dict:
    (folder / "artifacts").mkdir(exist_ok=True)
    report = folder / "artifacts" / "report"
    report.write_text(page("Inner report", [Section("s", [text('words "quoted" & <b>')])]))
    (folder / "artifacts" / "record").write_text("# Pushed\nversion 3")
    tasks = [
        {"name": "ingest-data", "state": "succeeded", "started": 100.0, "seconds": 2.0,
         "outputs": {"rows": 12345}},
        {"name": "evaluate-model", "state": "succeeded", "started": 102.0, "seconds": 6.0,
         "outputs": {"report": str(report), "primary": 0.75}},
        {"name": "push-model", "state": "succeeded", "started": 108.0, "seconds": 2.0,
         "outputs": {"record": "artifacts/record"}},
    ]  # fmt: skip
    warning = {"gate": "model", "check": "roc_auc change", "verdict": "warn", "reason": "It cannot be told."}
    warning |= {"threshold": 0.0, "observed": 0.01, "interval": [-0.1, 0.1], "slice": "age=old"}
    metrics = {"roc_auc": 0.75, "f1": None}
    run = {
        "pipeline": "train", "state": "succeeded", "seconds": 10.0, "error": None, "tasks": tasks,
        "decisions": [warning, {**warning, "verdict": "pass", "reason": "Fine."}],
        "metrics": {"test": {"overall": metrics, "age=old": metrics}, "validation": {"overall": metrics}},
        "model": {"name": "coupons", "version": 3, "digest": "ab" * 32}, "artifacts": {},
    }  # fmt: skip
    return {**run, **changes}


def test_it_leads_with_the_verdict_and_holds_everything(tmp_path):
    html = run_report(a_run(tmp_path), tmp_path)
    assert (
        'class="banner warn"' in html
        and "Succeeded: coupons version 3 is in the registry, with warnings" in html
    )
    assert "age=old" in html and "ROC AUC" in html and "0.7500" in html and "12,345" in html
    assert html.index("It cannot be told.") < html.index("Fine.")
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")


def test_a_tasks_report_is_inside_sandboxed_and_whole(tmp_path):
    html = run_report(a_run(tmp_path), tmp_path)
    (frame,) = re.findall(r'<iframe sandbox="allow-scripts"[^>]* srcdoc="([^"]*)"></iframe>', html)
    assert escaping.unescape(frame) == (tmp_path / "artifacts" / "report").read_text()
    assert "# Pushed\nversion 3" in html


def test_every_lane_of_the_timeline_leads_to_its_task(tmp_path):
    html = run_report(a_run(tmp_path), tmp_path)
    lanes = re.findall(r'<a class="name" href="#([^"]+)">', html)
    assert lanes == ["task-ingest-data", "task-evaluate-model", "task-push-model"]
    assert all(f'<details id="{lane}">' in html for lane in lanes)
    assert re.findall(r"left:([\d.]+)%;width:([\d.]+)%", html) == [
        ("0.00", "20.00"),
        ("20.00", "60.00"),
        ("80.00", "20.00"),
    ]


def test_a_stop_and_a_failure_say_where_and_why(tmp_path):
    error = {
        "task": "compare-models",
        "type": "GateStopped",
        "message": "gate model stopped the run: AUC <0.5",
        "exit_code": 1,
    }
    stopped = run_report(a_run(tmp_path, state="stopped", error=error, model=None), tmp_path)
    assert 'class="banner fail"' in stopped
    assert "Stopped by a gate in compare-models. gate model stopped the run: AUC &lt;0.5" in stopped
    run = a_run(tmp_path, state="failed", error={**error, "message": "broken"})
    run["tasks"][1] |= {"state": "failed", "error": {"message": "broken", "traceback": "line <1>"}}
    failed = run_report(run, tmp_path)
    assert "Failed in compare-models. broken" in failed and "line &lt;1&gt;" in failed


def test_a_run_that_has_almost_nothing_still_has_a_page(tmp_path):
    html = run_report({"pipeline": "train", "state": "failed"}, tmp_path)
    assert "Failed." in html and "Timeline" not in html
    run = a_run(tmp_path)
    run["tasks"][0] = {"name": "lost", "state": "failed", "outputs": {"report": str(tmp_path / "gone")}}
    assert "lost" in run_report(run, tmp_path)


def test_a_report_that_is_too_large_is_named_instead(tmp_path):
    run = a_run(tmp_path)
    (tmp_path / "artifacts" / "report").write_text("<!doctype html>" + "x" * MOST_REPORT_BYTES)
    html = run_report(run, tmp_path)
    assert "too large" in html and len(html) < 200_000
