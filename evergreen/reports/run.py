"""The one page of a run: verdict, timeline, decisions, metrics, and every task's report inside it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from evergreen.decisions import Decision
from evergreen.reports.page import (
    Section,
    Status,
    chip,
    code,
    decisions_table,
    details,
    note,
    page,
    pre,
    table,
    tiles,
)
from evergreen.reports.text import metric_name, number, seconds, size

MOST_REPORT_BYTES = 3_000_000
_CHIPS = {"succeeded": "pass", "stopped": "fail", "failed": "fail", "running": "warn"}
_HEAD = 12


def run_report(run: Mapping[str, Any], folder: Path) -> str:
    """The page of a run, self-contained.

    Args:
        run: `run.json`: pipeline, state, seconds, tasks, decisions, metrics, model, artifacts, error. What is
            not there is left out of the page.
        folder: Where the run was kept; paths in `run` are absolute or relative to it.
    """
    tasks = list(run.get("tasks") or [])
    decisions = _decisions(run.get("decisions") or [])
    sections = [
        Section("Result", _result(run, tasks)),
        Section("Timeline", _timeline(tasks)),
        Section("Decisions", _checked(decisions)),
        Section("Metrics", _metrics(run.get("metrics") or {})),
        Section("Tasks and their reports", _tasks(tasks, folder)),
    ]
    status, verdict = _verdict(run, decisions)
    title = f"Run of {run.get('pipeline', 'a pipeline')}"
    return page(title, sections, subtitle=_subtitle(run), status=status, verdict=verdict)


def _decisions(rows: Sequence[Mapping[str, Any]]) -> list[Decision]:
    known = Decision.__dataclass_fields__
    found = []
    for row in rows:
        fields = {k: v for k, v in row.items() if k in known}
        fields["interval"] = tuple(fields["interval"]) if fields.get("interval") else None
        found.append(Decision(**fields))
    return found


def _verdict(run: Mapping[str, Any], decisions: Sequence[Decision]) -> tuple[Status, str]:
    error = run.get("error") or {}
    message = str(error.get("message", "")).strip()
    where = f" in {error['task']}" if error.get("task") else ""
    if run.get("state") == "succeeded":
        warnings = [d for d in decisions if d.verdict == "warn"]
        done = f"Succeeded{_pushed(run.get('model'))}"
        if warnings:
            more = f" And {len(warnings) - 1} more." if len(warnings) > 1 else ""
            return "warn", f"{done}, with warnings. {warnings[0].reason}{more}"
        return "pass", f"{done}."
    if run.get("state") == "stopped":
        return "fail", f"Stopped by a gate{where}. {message}".rstrip()
    return "fail", f"Failed{where}. {message}".rstrip()


def _pushed(model: Mapping[str, Any] | None) -> str:
    if not model or not model.get("version"):
        return ""
    return f": {model.get('name') or 'the model'} version {model['version']} is in the registry"


def _subtitle(run: Mapping[str, Any]) -> str:
    parts = [str((run.get("model") or {}).get("name") or "")]
    if run.get("seconds") is not None:
        parts.append(f"took {seconds(run['seconds'])}")
    return " · ".join(p for p in parts if p)


def _result(run: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> list[str]:
    model = run.get("model") or {}
    done = sum(t.get("state") == "succeeded" for t in tasks)
    figures: dict[str, object] = {
        "State": run.get("state", "unknown"),
        "Time": seconds(run.get("seconds")),
        "Tasks": (f"{done} of {len(tasks)}", "succeeded"),
    }
    for metric, value in list(_overall(run).items())[:2]:
        figures[f"{metric_name(metric)} (test)"] = value
    digest = str(model.get("digest") or "")[:_HEAD]
    if model.get("version"):
        figures["Model version"] = (model["version"], digest)
    elif digest:
        figures["Model digest"] = code(digest)
    return [tiles(figures)]


def _overall(run: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = ((run.get("metrics") or {}).get("test") or {}).get("overall") or {}
    return found


def _checked(decisions: Sequence[Decision]) -> list[str]:
    """What was refused or warned about in full, the rest behind a click."""
    loud = [d for d in decisions if d.verdict in ("fail", "warn")]
    quiet = [d for d in decisions if d.verdict not in ("fail", "warn")]
    if not loud:
        return [decisions_table(quiet)] if quiet else []
    blocks: list[str] = [decisions_table(loud)]
    if quiet:
        passed = sum(d.verdict == "pass" for d in quiet)
        words = f"{passed} passed" + (f", {len(quiet) - passed} skipped" if passed < len(quiet) else "")
        blocks.append(details(words, decisions_table(quiet)))
    return blocks


def _timeline(tasks: Sequence[Mapping[str, Any]]) -> list[str]:
    """A lane for each task, placed by its start; tasks without a start follow one another."""
    begun = [t["started"] for t in tasks if t.get("started") is not None]
    zero = min(begun, default=0.0)
    lanes, clock = [], 0.0
    for task in tasks:
        length = float(task.get("seconds") or 0.0)
        start = task["started"] - zero if task.get("started") is not None else clock
        lanes.append((task, start, length))
        clock = start + length
    whole = max((start + length for _, start, length in lanes), default=0.0) or 1.0
    rows = [_lane(task, start / whole, length / whole) for task, start, length in lanes]
    return [Markup('<div class="gantt">{}</div>').format(Markup("").join(rows))] if rows else []


def _lane(task: Mapping[str, Any], start: float, length: float) -> Markup:
    kind = _CHIPS.get(str(task.get("state")), "skip")
    words = f"{task.get('name')}: {task.get('state')}, {seconds(task.get('seconds'))}"
    return Markup(
        '<div class="{}"><a class="name" href="#{}">{}</a>'
        '<span class="track" role="img" aria-label="{}" title="{}"><i style="left:{}%;width:{}%"></i></span>'
        '<span class="time">{}</span></div>'
    ).format(
        kind,
        _anchor(task),
        task.get("name", ""),
        words,
        words,
        f"{start * 100:.2f}",
        f"{length * 100:.2f}",
        seconds(task.get("seconds")),
    )


def _anchor(task: Mapping[str, Any]) -> str:
    return "task-" + re.sub(r"[^A-Za-z0-9_-]", "-", str(task.get("name", "")))


def _metrics(metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Data sets side by side overall; the test set's slices below."""
    blocks: list[str] = []
    overall = {name: parts["overall"] for name, parts in metrics.items() if "overall" in parts}
    if overall:
        names = list(dict.fromkeys(m for part in overall.values() for m in part))
        rows = [(metric_name(m), *(part.get(m) for part in overall.values())) for m in names]
        columns = set(range(1, len(overall) + 1))
        blocks.append(table(["Metric", *overall], rows, numeric=columns, caption="Metrics by data set"))
    for name, parts in metrics.items():
        slices = {k: v for k, v in parts.items() if k != "overall"}
        if slices:
            names = list(dict.fromkeys(m for part in slices.values() for m in part))
            rows = [(k, *(part.get(m) for m in names)) for k, part in slices.items()]
            headers = ["Slice", *(metric_name(m) for m in names)]
            caption = f"Metrics by slice of the {name} set"
            inner = table(headers, rows, numeric=set(range(1, len(headers))), caption=caption)
            blocks.append(details(f"{len(slices)} slices of the {name} set", inner))
    return blocks


def _tasks(tasks: Sequence[Mapping[str, Any]], folder: Path) -> list[str]:
    boxes = Markup("").join(_task(t, folder) for t in tasks)
    return [Markup('<div class="stack">{}</div>').format(boxes)] if tasks else []


def _task(task: Mapping[str, Any], folder: Path) -> Markup:
    """What a task gave; its report opens inside the page."""
    kind = _CHIPS.get(str(task.get("state")), "skip")
    heading = Markup("{} {} {}").format(
        chip(kind, str(task.get("state"))),
        task.get("name", ""),
        Markup('<span class="muted">{}</span>').format(seconds(task.get("seconds"))),
    )
    outputs = task.get("outputs") or {}
    blocks: list[Markup] = []
    if task.get("error"):
        error = task["error"]
        blocks.append(note(str(error.get("message", "")), "fail"))
        if error.get("traceback"):
            blocks.append(details("Traceback", pre(str(error["traceback"]))))
    blocks += [block for name, value in outputs.items() if (block := _report(name, value, task, folder))]
    if outputs:
        rows = [(name, _value(value, folder)) for name, value in outputs.items()]
        blocks.append(details("Outputs", table(["Output", "Value"], rows, caption="Outputs of the task")))
    body = Markup("").join(blocks or [note("The task gave nothing to show.")])
    return Markup('<details id="{}"><summary>{}</summary><div class="blocks">{}</div></details>').format(
        _anchor(task), heading, body
    )


def _report(name: str, value: object, task: Mapping[str, Any], folder: Path) -> Markup | None:
    """A task's HTML or Markdown output; a frame without access to this page, loaded when it is opened."""
    path = _path(value, folder)
    if path is None or not path.is_file() or name not in ("report", "record"):
        return None
    if path.stat().st_size > MOST_REPORT_BYTES:
        return note(f"{name} is too large to stand here ({size(path.stat().st_size)}): {path}")
    content = path.read_text(encoding="utf-8", errors="replace")
    if not content.lstrip().lower().startswith(("<!doctype html", "<html")):
        return pre(content)
    return Markup('<iframe sandbox="allow-scripts" loading="lazy" title="{}" srcdoc="{}"></iframe>').format(
        f"{name} of {task.get('name', '')}", content
    )


def _path(value: object, folder: Path) -> Path | None:
    if not isinstance(value, str) or not value or "\n" in value or len(value) > 1000:
        return None
    path = Path(value)
    return path if path.is_absolute() else folder / path


def _value(value: object, folder: Path) -> object:
    """A parameter as it is; an artifact by its path below the run's folder, with its size."""
    path = _path(value, folder)
    if path is not None and "/" in str(value) and path.exists():
        inside = path.relative_to(folder) if path.is_relative_to(folder) else path
        held = f" ({size(path.stat().st_size)})" if path.is_file() else "/"
        return Markup("{}{}").format(code(str(inside)), held)
    if isinstance(value, dict | list):
        return f"{len(value)} entries"
    return number(value) if not isinstance(value, str) else value
