"""Infra validation as a page."""

from evergreen.reports import charts
from evergreen.reports.page import (
    Section,
    decisions_table,
    details,
    figure,
    note,
    page,
    table,
    tiles,
    worst,
)
from evergreen.reports.text import number, seconds, size
from evergreen.serving.check.check import Checked, Measured, quantile

_EDGES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


def check_page(checked: Checked, name: str) -> str:
    """The report of `check_serving`."""
    sections = [Section("Checks", [decisions_table(checked.decisions)])]
    measured = checked.measured
    if measured is None:
        sections.insert(0, Section("The server did not start", [note(checked.reason, "fail")]))
    else:
        sections.insert(0, Section("Figures", [_figures(checked, measured)]))
        sections.append(Section("Latency of single rows", _latency(measured, checked.limits["p99"])))
        sections.append(Section("Hostile requests", _hostile(measured)))
    return page(
        f"Infra validation of {name}", sections, status=worst(checked.decisions),
        subtitle="The bundle in the real model server, asked over HTTP before it is pushed.",
    )  # fmt: skip


def _figures(checked: Checked, measured: Measured) -> str:
    limits = checked.limits
    return tiles(
        {
            "Cold start": (seconds(measured.cold_start), f"at most {seconds(limits['cold_start'])}"),
            "p50": seconds(quantile(measured.latency, 0.5)),
            "p99": (seconds(quantile(measured.latency, 0.99)), f"at most {seconds(limits['p99'])}"),
            "Memory": (size(measured.memory), f"at most {size(limits['memory'])}"),
            "Real rows": (
                number(measured.rows),
                f"{measured.left_out} left out" if measured.left_out else "",
            ),
            "Largest difference": (f"{measured.difference.largest:.2g}", f"at most {limits['tolerance']:g}"),
            "Engine": measured.engine,
        }
    )


def _latency(measured: Measured, bound: float) -> list[str]:
    edges = [*_EDGES, float("inf")]
    counts = [0] * len(edges)
    for value in measured.latency:
        counts[next(k for k, edge in enumerate(edges) if value <= edge)] += 1
    last = max((k for k, c in enumerate(counts) if c), default=0)
    labels = [f"≤ {seconds(e)}" for e in _EDGES] + [f"> {seconds(_EDGES[-1])}"]
    shown = {"requests": [float(c) for c in counts[: last + 1]]}
    return [
        figure(
            charts.histogram(labels[: last + 1], shown, "Seconds of a request"),
            f"One request after the other, over HTTP; the bound for 99 of 100 is {seconds(bound)}.",
        )
    ]


def _hostile(measured: Measured) -> list[str]:
    wrong = [(n, s) for n, s, ok in measured.hostile if not ok]
    counts: dict[int, int] = {}
    for _, status, _ in measured.hostile:
        counts[status] = counts.get(status, 0) + 1
    statuses = sorted(counts)
    names, heights = [str(s) if s else "none" for s in statuses], [float(counts[s]) for s in statuses]
    bars = charts.bars(names, heights, "Hostile requests by status")
    rows = [(n, str(s) if s else "no answer", "yes" if ok else "no") for n, s, ok in measured.hostile]
    blocks: list[str] = [figure(bars), details("Every request", table(("request", "status", "honest"), rows))]
    if wrong:
        blocks.insert(0, table(("not answered honestly", "status"), [(n, str(s)) for n, s in wrong]))
    return blocks
