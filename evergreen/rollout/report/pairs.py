"""Shadow and dark on the page: the same requests answered by both versions; and what versions answer."""

from collections.abc import Sequence

from evergreen.intervals import Z_99, wilson
from evergreen.profile.validation.distances import psi
from evergreen.reports import charts
from evergreen.reports.page import figure, table, text
from evergreen.reports.text import number, percent, shortened
from evergreen.rollout.evidence import Outputs, Pairs
from evergreen.rollout.report.story import StageStory, Story
from evergreen.rollout.report.words import once
from evergreen.rollout.statistics.sequences import paired_mean

_ALPHA = 0.05
_MOST_LABELS = 24
_SCALE = 10**12


def pairs(story: Story) -> list[str]:
    """Disagreement, failures, differences of score and latency, by hidden stage."""
    stages = [s for s in story.stages if s.hidden and s.users.pairs.pairs]
    if not stages:
        hidden = [s for s in story.stages if s.hidden]
        return [text("No request was paired in the hidden stages.")] if hidden else []
    shares = [s.users.pairs.disagreements / s.users.pairs.pairs for s in stages]
    intervals = [wilson(s.users.pairs.disagreements, s.users.pairs.pairs, Z_99) for s in stages]
    names = [s.name for s in stages]
    blocks: list[str] = [
        figure(
            charts.bars(names, [100 * v for v in shares], "Rows that are answered differently, %",
                        [(100 * a, 100 * b) for a, b in intervals]),
            f"Allowed: {percent(story.settings.guardrails.outputs.disagreement, 0)}; intervals of 99 %.",
        )
    ]  # fmt: skip
    means = [(s.name, paired_mean(*s.users.pairs.seconds, s.users.pairs.pairs, _ALPHA)) for s in stages]
    drawn = [(name, mean) for name, mean in means if mean is not None]
    if drawn:
        blocks.append(
            figure(
                charts.forest([n for n, _ in drawn], [1000 * m[0] for _, m in drawn],
                              [(1000 * m[1], 1000 * m[2]) for _, m in drawn],
                              "Latency of the candidate less the baseline's, ms", 0.0),
                "Pair by pair, by the servers' clocks; intervals of 95 % that hold at any time.",
            )
        )  # fmt: skip
    headers = ["Stage", "Copies", "Paired", "Rows", "Differ", "Failed",
               "Slow", "Score", "Latency, ms"]  # fmt: skip
    rows = [_row(s) for s in stages]
    return [*blocks, table(headers, rows, numeric=set(range(1, 9)), caption="Pairs by stage")]


def _row(stage: StageStory) -> list[object]:
    p = stage.users.pairs
    low, high = wilson(p.disagreements, p.pairs, Z_99)
    return [
        once(stage.name), stage.step.mirrored, p.requests or p.pairs, p.pairs,
        f"{percent(p.disagreements / p.pairs)} ({percent(low)} to {percent(high)})",
        p.failures, p.slower, _mean(p, p.score, 1.0), _mean(p, p.seconds, 1000.0),
    ]  # fmt: skip


def _mean(p: Pairs, sums: tuple[float, float], scale: float) -> str:
    mean = paired_mean(*sums, p.pairs, _ALPHA)
    if mean is None:
        return "–"
    value, low, high = (number(scale * v) for v in mean)
    return f"{value} ({low} to {high})"


def outputs(story: Story) -> list[str]:
    """What each arm answered against the training labels, of the last stage in which it is known."""
    stages = [s for s in story.stages if any(sum(c) for c in s.users.outputs.arms.values())]
    if not stages:
        return []
    stage = stages[-1]
    found = stage.users.outputs
    series = _series(found)
    labels = [shortened(label, 40) for label in found.labels]
    blocks: list[str] = []
    if len(labels) <= _MOST_LABELS:
        words = f"In {stage.name}; the training labels are those that the candidate was trained on."
        blocks.append(figure(charts.histogram(labels, series, "Answers by label, %"), words))
    blocks += _drift(stages)
    rows = [row for s in stages for row in _distances(s)]
    headers = ["Stage", "Arm", "Answers", "PSI to the training labels", "PSI to the baseline's answers"]
    limit = story.settings.guardrails.outputs.psi
    blocks.append(table(headers, rows, numeric={2, 3, 4}, caption=f"Distances of answers; limit {limit:g}"))
    return blocks


def _drift(stages: Sequence[StageStory]) -> list[str]:
    """How far the candidate's answers are from the training labels, stage by stage."""
    found = []
    for stage in stages:
        seen = stage.users.outputs
        counts = seen.arms.get("shadow" if stage.hidden else "candidate", ())
        reference = [round(v * _SCALE) for v in seen.reference]
        if sum(counts) and sum(reference):
            found.append((stage.name, float(_distance(reference, counts))))
    if not found:
        return []
    chart = charts.bars(
        [n for n, _ in found], [v for _, v in found], "Candidate's answers to the training labels"
    )
    return [figure(chart, "Population stability index.")]


def _series(found: Outputs) -> dict[str, list[float]]:
    series: dict[str, list[float]] = {}
    if sum(found.reference) > 0:
        series["training labels"] = [100 * v / sum(found.reference) for v in found.reference]
    for arm in ("baseline", "candidate", "shadow"):
        counts = found.arms.get(arm, ())
        if sum(counts):
            padded = [*counts, *[0] * (len(found.labels) - len(counts))]
            series["candidate (copies)" if arm == "shadow" else arm] = [100 * c / sum(counts) for c in padded]
    return series


def _distances(stage: StageStory) -> list[tuple[object, ...]]:
    found = stage.users.outputs
    reference = [round(v * _SCALE) for v in found.reference]
    baseline = found.arms.get("baseline", ())
    return [
        (once(stage.name), arm, sum(counts), _psi(reference, counts),
         "" if arm == "baseline" else _psi(baseline, counts))
        for arm, counts in sorted(found.arms.items()) if sum(counts)
    ]  # fmt: skip


def _psi(reference: Sequence[int], counts: Sequence[int]) -> str:
    if sum(reference) <= 0 or sum(counts) <= 0:
        return "–"
    return f"{_distance(reference, counts):.3f}"


def _distance(reference: Sequence[int], counts: Sequence[int]) -> float:
    size = max(len(reference), len(counts))
    one, other = ([*c, *[0] * (size - len(c))] for c in (reference, counts))
    return psi(one, other)
