"""Infra validation as a gate: start the bundle in the real server, ask it, measure, decide."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evergreen.bundle.signature import Signature
from evergreen.decisions import Decision, verdict
from evergreen.project.model import Project, Serving
from evergreen.project.model.values import memory_bytes
from evergreen.reports.text import number, seconds, size
from evergreen.serving.check.hostile import probes
from evergreen.serving.check.rows import (
    Difference,
    RealRows,
    infer_body,
    infer_difference,
    real_rows,
    rows_body,
    rows_difference,
)
from evergreen.serving.check.server import Answer, CheckedServer, NotServed

GATE = "serving"
_BATCH = 50
_WARM = 20


@dataclass(frozen=True)
class Measured:
    """What the real server showed.

    Attributes:
        cold_start: Seconds from the start of the process until it was ready.
        latency: Seconds of single rows, one request after the other, in order.
        memory: Resident bytes at the end.
        rows: Real rows that were asked about.
        left_out: Real rows that the model does not take, since a value is missing.
        difference: From the trained pipeline.
        refused: Real rows' requests that were not answered with 200: (status, body's beginning).
        hostile: Hostile requests: (name, status, whether the status was an honest one).
        alive: Whether the server was still ready after all that, and answered as before.
        engine: `onnx` or `native`.
    """

    cold_start: float
    latency: tuple[float, ...]
    memory: int
    rows: int
    left_out: int
    difference: Difference
    refused: tuple[tuple[int, str], ...]
    hostile: tuple[tuple[str, int, bool], ...]
    alive: bool
    engine: str


@dataclass(frozen=True)
class Checked:
    """What infra validation found: decisions, and what they rest on (None when the server did not start)."""

    decisions: tuple[Decision, ...]
    measured: Measured | None = None
    reason: str = ""
    limits: dict[str, float] = field(default_factory=dict)

    @property
    def p99(self) -> float:
        """Seconds within which 99 of 100 single rows were answered; 0 when the server did not start."""
        return quantile(self.measured.latency, 0.99) if self.measured else 0.0

    @property
    def cold_start(self) -> float:
        """Seconds until the server was ready; 0 when it did not start."""
        return self.measured.cold_start if self.measured else 0.0

    @property
    def memory(self) -> int:
        """Resident bytes after all requests; 0 when the server did not start."""
        return self.measured.memory if self.measured else 0


def check_serving(project: Project, bundle: Path, splits: Path) -> Checked:
    """Start a bundle in the real model server and hold it to `serving.check` of the project.

    Args:
        project: The project; `serving` is used.
        bundle: The bundle's folder.
        splits: The folder of `split_data`; a fixed sample of the test part is sent.

    Raises:
        BundleError: the bundle was changed.
        DataError: the test part lacks a column that the model needs, or has no rows.
    """
    from evergreen.bundle.load import load_bundle

    loaded = load_bundle(bundle, threads=1)
    settings = project.serving.check
    real = real_rows(bundle, splits, loaded.signature, settings.rows)
    limits = {
        "cold_start": settings.cold_start.total_seconds(),
        "p99": settings.p99.total_seconds(),
        "memory": memory_bytes(settings.memory),
        "tolerance": settings.tolerance,
    }
    try:
        with CheckedServer(bundle, project.name, project.serving) as server:
            measured = _measure(server, loaded.signature, real, project.serving, loaded.engine)
    except NotServed as error:
        reason = f"The real server does not start with this bundle: {error}"
        no = Decision(GATE, "starts", verdict(False, settings.mode), reason, mode=settings.mode)
        return Checked((no,), None, str(error), limits)
    return Checked(tuple(_decide(measured, project.serving)), measured, "", limits)


def _measure(
    server: CheckedServer, signature: Signature, real: RealRows, serving: Serving, engine: str
) -> Measured:
    refused: list[Answer] = []
    rows = real.rows
    batches = [rows[k : k + _BATCH] for k in range(0, len(rows), _BATCH)]
    difference = Difference(0.0, 0)
    for k, batch in enumerate(batches):
        for route, body, compare in (
            ("rows", rows_body(batch), rows_difference),
            ("infer", infer_body(signature, batch), infer_difference),
        ):
            answer = server.predict(route, body)
            if answer.status == 200:
                difference = difference.worse(compare(signature, real.expected, k * _BATCH, answer.body))
            else:
                refused.append(answer)
    singles = [rows_body([row]) for row in rows[:_WARM]] + [rows_body([row]) for row in rows]
    answers = [server.predict("rows", body) for body in singles][min(_WARM, len(rows)) :]
    refused += [a for a in answers if a.status != 200]
    hostile = _hostile(server, signature, real, serving)
    again = server.predict("rows", rows_body(batches[0]))
    same = again.status == 200 and _same(rows_difference(signature, real.expected, 0, again.body), serving)
    alive = server.alive and server.ask("GET", "/v2/health/ready").status == 200 and same
    return Measured(
        server.cold_start,
        tuple(a.seconds for a in answers),
        server.memory(),
        len(rows),
        real.left_out,
        difference,
        tuple((a.status, a.body[:200].decode("utf-8", "replace")) for a in refused[:5]),
        hostile,
        alive,
        engine,
    )


def _hostile(
    server: CheckedServer, signature: Signature, real: RealRows, serving: Serving
) -> tuple[tuple[str, int, bool], ...]:
    found = []
    for probe in probes(signature, real.rows[0], serving):
        path = f"/v2/models/{server.name}/{probe.path}"
        headers = {"content-type": "application/json", **probe.headers}
        answer = server.ask(probe.method, path, probe.body, headers)
        found.append((probe.name, answer.status, answer.status in probe.allowed))
    return tuple(found)


def _same(difference: Difference, serving: Serving) -> bool:
    # A graph computes with 32-bit floats: a value right at a tree's threshold may fall on its other side.
    # That is one row here or there (asked about by both routes); another model differs everywhere.
    allowed = max(2, int(serving.check.share * len(difference.gaps)))
    return difference.beyond(serving.check.tolerance) <= allowed


def quantile(values: Sequence[float], share: float) -> float:
    """The value below or at which `share` of the values lie; NaN for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def _decide(measured: Measured, serving: Serving) -> Iterator[Decision]:
    limits, mode = serving.check, serving.check.mode

    def decision(
        check: str, ok: bool, reason: str, observed: float | str | None, bound: float | str | None
    ) -> Decision:
        return Decision(GATE, check, verdict(ok, mode), reason, bound, observed, mode=mode)

    start, longest = measured.cold_start, limits.cold_start.total_seconds()
    text = f"The server was ready {seconds(start)} after its start; {seconds(longest)} are allowed."
    yield decision("cold start", start <= longest, text, round(start, 3), longest)
    refused = measured.refused
    first = f" The first: status {refused[0][0]}, {refused[0][1]}" if refused else ""
    text = f"The server {'did not answer' if refused else 'answered'} every real row.{first}"
    yield decision("answers real rows", not refused, text, measured.rows, None)
    difference = measured.difference
    text = (
        f"Over HTTP the answers are within {difference.largest:.3g} of the trained pipeline's "
        f"({difference.beyond(limits.tolerance)} of {number(len(difference.gaps))} answers are further off "
        f"than {limits.tolerance:g}, {difference.labels} with another label)."
    )
    yield decision(
        "parity",
        _same(difference, serving),
        text,
        float(f"{min(difference.largest, 1e9):.3g}"),
        limits.tolerance,
    )
    p99, bound = quantile(measured.latency, 0.99), limits.p99.total_seconds()
    text = f"99 of 100 single rows are answered within {seconds(p99)}; {seconds(bound)} are allowed."
    yield decision("latency p99", p99 <= bound, text, round(p99, 5), bound)
    held, most = measured.memory, memory_bytes(limits.memory)
    text = f"The server holds {size(held)} after all requests; {size(most)} are allowed."
    yield decision("memory", held <= most, text, held, most)
    wrong = [(name, status) for name, status, ok in measured.hostile if not ok]
    named = "; ".join(f"{name} → {status or 'no answer'}" for name, status in wrong[:3])
    text = (
        f"{len(wrong)} of {len(measured.hostile)} hostile requests were not answered honestly: {named}."
        if wrong
        else f"All {len(measured.hostile)} hostile requests were answered honestly, none with a 5xx."
    )
    yield decision("hostile requests", not wrong, text, len(wrong), 0)
    text = "After the hostile requests the server answers real rows " + (
        "as before." if measured.alive else "no more, or not as before."
    )
    yield decision("still answers", measured.alive, text, str(measured.alive).lower(), "true")
