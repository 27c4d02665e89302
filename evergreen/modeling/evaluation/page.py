"""The evaluation's report: figures with intervals, the baseline beside them, curves, slices."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from evergreen.modeling.evaluation.longtail import TAIL, own_names, tail_names
from evergreen.reports import charts
from evergreen.reports.page import Section, chip, details, figure, note, page, table, text, tiles
from evergreen.reports.text import interval, metric_name, number, percent

_MOST_LANES = 40


def evaluation_page(evaluation: Mapping[str, Any]) -> str:
    """The page of `evaluate_model`, from `evaluation.json`."""
    overall = evaluation["datasets"]["test"]["overall"]
    sections = [
        Section("Test set", _figures(evaluation, overall)),
        Section("Against the baseline", _baseline(evaluation)),
        Section("Shape of the errors", _shapes(evaluation)),
        Section("Slices", _slices(evaluation)),
        Section("Long tail", _tail(evaluation)),
        Section("How it was measured", _method(evaluation)),
    ]
    rows = f"{overall['rows']:,} test rows"
    label = f"{evaluation['task']} · label {evaluation['label']}"
    subtitle = f"{evaluation['name']} · {label} · {rows}"
    return page("Evaluation", sections, subtitle=subtitle, verdict=headline(evaluation))


def headline(evaluation: Mapping[str, Any]) -> str:
    """The leading metric in one sentence, and how it compares with the baseline."""
    primary = evaluation["primary"]
    measured = evaluation["datasets"]["test"]["overall"]["metrics"][primary]
    words = f"{metric_name(primary)} {number(measured['value'])}{_in_brackets(measured)} on the test set"
    if evaluation["changes"] is None:
        return f"{words}. {_no_baseline(evaluation)}"
    change = evaluation["changes"]["overall"][primary]
    return f"{words}: {_judgement(change, evaluation['higher_is_better'][primary])[1]}."


def _in_brackets(measured: Mapping[str, Any]) -> str:
    between = interval(measured["low"], measured["high"])
    return f" ({between})" if between else ""


def _no_baseline(evaluation: Mapping[str, Any]) -> str:
    problem = evaluation["baseline_problem"]
    return f"Not compared with the baseline: {problem}." if problem else "There is no baseline yet."


def _judgement(change: Mapping[str, Any], higher_is_better: bool) -> tuple[str, str]:
    """A chip's kind and words for a change: better, worse, or too close to call."""
    if change["value"] is None:
        return "none", "not comparable"
    better = 1.0 if higher_is_better else -1.0
    size = number(abs(change["value"]))
    low, high = change["low"], change["high"]
    if low is None or high is None:
        return "none", f"differs by {size} from the baseline"
    if change["value"] == low == high == 0:
        return "none", "the same as the baseline"
    if low <= 0 <= high:
        return "none", f"too close to the baseline to call ({interval(low, high)})"
    ahead = better * change["value"] > 0
    return (
        ("pass", f"better than the baseline by {size}")
        if ahead
        else ("warn", f"worse than the baseline by {size}")
    )


def _figures(evaluation: Mapping[str, Any], overall: Mapping[str, Any]) -> list[str]:
    shown: dict[str, object] = {}
    for metric, measured in overall["metrics"].items():
        shown[metric_name(metric)] = (measured["value"], interval(measured["low"], measured["high"]))
    if overall.get("positive_share") is not None:
        shown[f"Share of “{evaluation['positive']}”"] = percent(overall["positive_share"])
    blocks: list[str] = [tiles(shown)]
    unknown = [f"{metric_name(m)}: {e['reason']}" for m, e in overall["metrics"].items() if e.get("reason")]
    if unknown:
        blocks.append(note("Not measured. " + "; ".join(unknown) + "."))
    return blocks


def _baseline(evaluation: Mapping[str, Any]) -> list[str]:
    if evaluation["changes"] is None:
        return [note(_no_baseline(evaluation), "warn" if evaluation["baseline_problem"] else "info")]
    mine = evaluation["datasets"]["test"]["overall"]["metrics"]
    theirs = evaluation["baseline"]["datasets"]["test"]["overall"]["metrics"]
    rows = []
    for metric, change in evaluation["changes"]["overall"].items():
        higher = evaluation["higher_is_better"][metric]
        kind, words = _judgement(change, higher)
        short = {"pass": "better", "warn": "worse"}.get(kind, "too close" if "close" in words else words)
        rows.append(
            (
                metric_name(metric) + (" ↑" if higher else " ↓"),
                mine[metric]["value"],
                theirs[metric]["value"],
                change["value"],
                interval(change["low"], change["high"]),
                chip(kind, short),
            )
        )
    headers = ("Metric", "Candidate", "Baseline", "Change", "Interval of the change", "Verdict")
    return [
        table(headers, rows, numeric={1, 2, 3, 4}, caption="Candidate and baseline on the same test rows"),
        text(
            "The change is measured on the same rows, resampled together. ↑ more is better, ↓ less is better."
        ),
    ]


def _shapes(evaluation: Mapping[str, Any]) -> list[str]:
    blocks: list[str] = []
    for kind, title, x, y in (
        ("roc", "ROC curve", "False positive rate", "True positive rate"),
        ("pr", "Precision and recall", "Recall", "Precision"),
    ):
        found = {n: c[kind] for n, c in (evaluation["curves"] or {}).items()}
        if found:
            lines = {n: [(p[0], p[1]) for p in points] for n, points in found.items()}
            blocks.append(figure(charts.curve(lines, x, y, title, diagonal=kind == "roc")))
    if evaluation["calibration"]:
        lines = {
            n: [(b["predicted"], b["observed"]) for b in bins]
            for n, bins in evaluation["calibration"].items()
        }
        drawn = charts.curve(lines, "Predicted probability", "Observed rate", "Calibration", diagonal=True)
        blocks.append(
            figure(drawn, "Each point is a bin of equally many rows; on the dashed line, as promised.")
        )
    confusion = evaluation["confusion"]
    if confusion:
        labels, counts = confusion["labels"], confusion["counts"]
        chart = charts.heatmap(labels, labels, counts, "Confusion", x="predicted", y="actual")
        blocks.append(figure(chart))
    blocks += _residuals(evaluation["residuals"])
    return blocks


def _residuals(residuals: Mapping[str, Any] | None) -> list[str]:
    if residuals is None:
        return []
    pairs = {"rows": [(p, y) for p, y in residuals["pairs"]]}
    spread = charts.histogram(residuals["labels"], {"rows": residuals["share"]}, "Predicted minus actual")
    return [
        figure(charts.points(pairs, "Predicted", "Actual", "Predicted and actual", diagonal=True)),
        figure(spread, "Share of the rows; the outermost bars also hold what lies beyond."),
    ]


def _slices(evaluation: Mapping[str, Any]) -> list[str]:
    parts = evaluation["datasets"]["test"]
    names = [n for n in own_names(parts) if n != "overall"]
    if not names:
        return [note("The project names no slices. Add `slices` to see where the model is weak.")]
    primary = evaluation["primary"]
    whole = parts["overall"]["metrics"][primary]["value"]
    blocks: list[str] = []
    for column in evaluation["slices"]:
        lanes = [n for n in names if n.startswith(f"{column}=")][:_MOST_LANES]
        measured = [parts[n]["metrics"][primary] for n in lanes]
        if any(m["value"] is not None for m in measured):
            chart = charts.forest(
                [n.removeprefix(f"{column}=") for n in lanes],
                [m["value"] for m in measured],
                [_pair(m) for m in measured],
                f"{metric_name(primary)} by {column}",
                reference=whole,
            )
            blocks.append(figure(chart, "The dashed line is the whole test set."))
    blocks.append(_slice_table(evaluation, parts, names))
    small = [n for n in names if parts[n]["small"]]
    if small:
        rows = evaluation["min_slice_rows"]
        blocks.append(
            note(f"{len(small)} slices have fewer than {rows} rows: shown, but the gate does not hold them.")
        )
    return blocks


def _tail(evaluation: Mapping[str, Any]) -> list[str]:
    """The slices that `assess_data` found, with their intervals for few rows."""
    parts = evaluation["datasets"]["test"]
    names = [n for n in (TAIL, *tail_names(parts)) if n in parts]
    if not names:
        return []
    primary = evaluation["primary"]
    measured = [parts[n]["metrics"][primary] for n in names]
    lanes = [n.removeprefix(f"{TAIL}:") for n in names]
    chart = charts.forest(
        lanes,
        [m["value"] for m in measured],
        [_pair(m) for m in measured],
        f"{metric_name(primary)} in the long tail",
        reference=parts["overall"]["metrics"][primary]["value"],
    )
    told = {s["name"]: s["words"] for s in evaluation["long_tail"]}
    rows = [(n, told.get(n, "any slice of the long tail"), parts[n]["rows"]) for n in names]
    few = [n for n in names if parts[n]["small"]]
    words = (
        "Small data inside the data: intervals hold 99 % for all slices together, widened for few rows, and "
        f"the gate says no only where a whole interval lies beyond its bound. {len(few)} of {len(names)} "
        "have too few test rows to be judged."
    )
    return [
        figure(chart, "The dashed line is the whole test set."),
        _slice_table(evaluation, parts, names),
        details("What is in them", table(["Slice", "Rows in it", "Test rows"], rows, numeric={2})),
        text(words),
    ]


def _pair(measured: Mapping[str, Any]) -> tuple[float, float] | None:
    low, high = measured["low"], measured["high"]
    return None if low is None or high is None else (low, high)


def _slice_table(evaluation: Mapping[str, Any], parts: Mapping[str, Any], names: Sequence[str]) -> Markup:
    metrics = list(parts["overall"]["metrics"])
    primary = evaluation["primary"]
    changes = evaluation["changes"]
    headers = ["Slice", "Rows", metric_name(primary), "Interval", *(["Change"] if changes else [])]
    headers += [metric_name(m) for m in metrics if m != primary]
    rows = []
    for name in ["overall", *names]:
        part = parts[name]
        leading = part["metrics"][primary]
        label = Markup("{} {}").format(name, chip("none", "small data")) if part["small"] else name
        row: list[object] = [label, part["rows"], leading["value"], interval(leading["low"], leading["high"])]
        row += [changes[name][primary]["value"]] if changes else []
        rows.append([*row, *(part["metrics"][m]["value"] for m in metrics if m != primary)])
    return table(
        headers, rows, numeric=set(range(1, len(headers))), caption="Metrics by slice of the test set"
    )


def _method(evaluation: Mapping[str, Any]) -> list[str]:
    boot = evaluation["bootstrap"]
    validation = evaluation["datasets"]["validation"]["overall"]
    test = evaluation["datasets"]["test"]["overall"]
    unit = {"rows": "rows", "entities": "whole entities", "groups": "whole groups"}[evaluation["unit"]]
    words = (
        f"Intervals hold {boot['confidence'] * 100:g} % of {boot['resamples']} bootstrap resamples of "
        f"{unit}. Above {boot['most_rows']:,} rows (slices: {boot['most_rows_of_a_slice']:,}) a seeded "
        "sample is resampled and the interval is narrowed to the full number of rows."
    )
    rows = [
        (metric_name(m), test["metrics"][m]["value"], e["value"], interval(e["low"], e["high"]))
        for m, e in validation["metrics"].items()
    ]
    headers = ("Metric", "Test", "Validation", "Interval on validation")
    beside = table(headers, rows, numeric={1, 2, 3}, caption="Test and validation")
    return [text(words), details(f"The validation part ({validation['rows']:,} rows)", beside)]
