"""What the serving benchmark prints: markdown tables, and the same and more as JSON."""

import json
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from benchmarks.serving_contenders import LIMIT, OURS
from benchmarks.serving_search import Run, Throughput


@dataclass
class Found:
    """What was measured with one model.

    Attributes:
        runs: By contender and rate, one a round; None for a round in which the contender was not tried.
        throughput: By contender.
        unavailable: Contenders that could not be had, and why.
    """

    runs: dict[tuple[str, float], list[Run | None]] = field(default_factory=dict)
    throughput: dict[str, Throughput] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)

    def names(self) -> list[str]:
        """The contenders, in the order in which they were measured."""
        return list(dict.fromkeys([*(name for name, _ in self.runs), *self.throughput]))

    def noise(self) -> str:
        """How much of it was measured on a busy machine, as a line of the page."""
        runs = [run for each in self.runs.values() for run in each if run]
        runs += [run for each in self.throughput.values() for run in each.runs]
        bad = sum(run.disturbed for run in runs)
        advice = "; measure again on a quiet machine" if bad > len(runs) / 20 else ""
        return f"- {bad} of {len(runs)} runs were disturbed{advice}"

    def middle(self, name: str, rate: float, what: str) -> float:
        """Median over the rounds of one figure; NaN without one."""
        values = [getattr(run, what) for run in self.runs.get((name, rate), []) if run]
        return median(values) if values else math.nan

    def ratio(self, name: str, base: str, rate: float, what: str) -> float:
        """Median over the rounds of the ratio to another contender's figure; NaN without one."""
        ratios = self._ratios(name, base, rate, what)
        return median(ratios) if ratios else math.nan

    def interval(self, name: str, base: str, rate: float, what: str) -> tuple[float, float]:
        """Where 95 % of that median lie when rounds are drawn again (percentile bootstrap; Efron 1979)."""
        ratios, drawn = self._ratios(name, base, rate, what), random.Random(0)
        if not ratios:
            return math.nan, math.nan
        again = sorted(median(drawn.choices(ratios, k=len(ratios))) for _ in range(2000))
        return again[50], again[-51]

    def _ratios(self, name: str, base: str, rate: float, what: str) -> list[float]:
        pairs = zip(self.runs.get((name, rate), []), self.runs.get((base, rate), []), strict=False)
        ratios = [_over(getattr(a, what), getattr(b, what)) for a, b in pairs if a and b]
        return [ratio for ratio in ratios if not math.isnan(ratio)]


def _over(value: float, base: float) -> float:
    return value / base if base and math.isfinite(base) else math.nan


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float, digits: int = 1) -> str:
    """A figure for a table: a dash for none, the sign of infinity for a quantile that was never answered."""
    if math.isnan(value):
        return "-"
    return "∞" if math.isinf(value) else f"{value:,.{digits}f}"


def rates_table(found: Found) -> str:
    """Latency, CPU and memory of every contender at every rate; medians of the rounds."""
    header = (
        "server", "requests/s", "answered", "errors", "p50 ms", "p99 ms", "max ms", "CPU s/1,000", "RSS MiB",
        "p99 : limit", "CPU : limit", "",
    )  # fmt: skip
    rows = []
    for (name, rate), runs in found.runs.items():
        known = [run for run in runs if run]
        if not known:
            rows.append([name, f"{rate:g}", *["-"] * 9, "not tried: a lower rate was too much"])
            continue
        noisy = sum(run.disturbed for run in known)
        rows.append([
            name, f"{rate:g}", f"{found.middle(name, rate, 'answered'):.1%}",
            number(found.middle(name, rate, "errors"), 0),
            *(number(found.middle(name, rate, what)) for what in ("p50", "p99", "slowest")),
            number(found.middle(name, rate, "cpu"), 2), number(found.middle(name, rate, "resident"), 0),
            *(number(found.ratio(name, LIMIT, rate, what), 2) for what in ("p99", "cpu")),
            f"{noisy} of {len(known)} runs disturbed" if noisy else "",
        ])  # fmt: skip
    return table(header, rows)


def throughput_table(found: Found) -> str:
    """The highest rate with everything answered and p99 within 50 ms, and what multiple ours is of each."""
    header = ("server", "highest rate/s with p99 ≤ 50 ms", "CPU s/1,000 there", "evergreen : this")
    ours = found.throughput.get(OURS)
    rows = []
    for name, each in found.throughput.items():
        ratio = _over(ours.rate, each.rate) if ours else math.nan
        rate = ("at least " if each.more else "") + number(each.rate, 0)
        rows.append([name, rate, number(each.cpu, 2), number(ratio, 2)])
    return table(header, rows)


def summary(found: Found) -> dict[str, float]:
    """The ratios that the benchmark is for.

    Returns:
        `throughput : best peer`, `throughput : limit`, and `p99 : limit` and `CPU : limit` at each rate, with
        the interval of the first at the highest rate.
    """
    rates = {name: each.rate for name, each in found.throughput.items()}
    best = max((rate for name, rate in rates.items() if name not in (OURS, LIMIT)), default=math.nan)
    ours = rates.get(OURS, math.nan)
    ratios = {
        "throughput : best peer": _over(ours, best),
        "throughput : limit": _over(ours, rates.get(LIMIT, math.nan)),
    }
    for rate in dict.fromkeys(rate for _, rate in found.runs):
        ratios[f"p99 : limit at {rate:g}/s"] = found.ratio(OURS, LIMIT, rate, "p99")
        ratios[f"CPU : limit at {rate:g}/s"] = found.ratio(OURS, LIMIT, rate, "cpu")
    highest = max((rate for name, rate in found.runs if name == OURS), default=math.nan)
    low, high = found.interval(OURS, LIMIT, highest, "p99")
    ratios |= {f"p99 : limit at {highest:g}/s, 95 % from": low, "and to": high}
    return {name: value for name, value in ratios.items() if not math.isnan(value)}


def as_json(
    settings: Mapping[str, Any], models: Mapping[str, Found], shadow: Mapping[str, Any] | None
) -> str:
    """Everything that was measured; null stands for infinite or unknown."""
    document = {
        "settings": settings,
        "models": {
            model: {
                "ratios": summary(found),
                "runs": [
                    {"contender": name, "round": k, **asdict(run), "disturbed": run.disturbed}
                    for (name, _), runs in found.runs.items()
                    for k, run in enumerate(runs)
                    if run
                ],
                "throughput": {name: asdict(each) for name, each in found.throughput.items()},
                "unavailable": found.unavailable,
            }
            for model, found in models.items()
        },
        "shadow": shadow,
    }
    return json.dumps(_finite(document), indent=1, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
