"""Counters and histograms that cost next to nothing to change.

prometheus_client's own take a lock for every observation, because threads may share them. Ours are changed on
the event loop's thread alone and are only read by others, so they need none: an observation is a search in a
tuple and two additions.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

Labels = tuple[str, ...]


class Counts:
    """Counters of one name, by label values.

    Args:
        name: The metric's name, without `_total`.
        text: What it counts.
        labels: The names of the labels.
    """

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self.name, self.text, self.labels = name, text, tuple(labels)
        self._counts: dict[Labels, float] = {}

    def add(self, values: Labels, amount: float = 1) -> None:
        """Count; `values` are the labels' values."""
        self._counts[values] = self._counts.get(values, 0) + amount

    def family(self) -> Metric:
        """The metric as Prometheus has it."""
        family = CounterMetricFamily(self.name, self.text, labels=self.labels)
        for values, amount in list(self._counts.items()):
            family.add_metric(values, amount)
        return family


class Spread:
    """A histogram with one set of label values.

    Args:
        name: The metric's name.
        text: What it measures.
        labels: Label names and values.
        bounds: The upper bounds of the buckets, rising; infinity is added.
    """

    def __init__(self, name: str, text: str, labels: dict[str, str], bounds: Sequence[float]) -> None:
        self.name, self.text, self._labels = name, text, labels
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Add an observation."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def family(self) -> Metric:
        """The metric as Prometheus has it: buckets that hold all below them."""
        family = HistogramMetricFamily(self.name, self.text, labels=list(self._labels))
        buckets, below = [], 0
        for bound, count in zip([*map(str, self._bounds), "+Inf"], list(self._counts), strict=True):
            below += count
            buckets.append((bound, below))
        family.add_metric(list(self._labels.values()), buckets, self._sum)
        return family


class Watched:
    """A gauge or a counter that is read when the metrics are asked for.

    Args:
        name: The metric's name, without `_total` for a counter.
        text: What it is.
        labels: The names of the labels.
        read: Gives the values by label values.
        counter: Whether it only grows.
    """

    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        read: Callable[[], dict[Labels, float]],
        counter: bool = False,
    ) -> None:
        self.name, self.text, self.labels = name, text, tuple(labels)
        self._read, self._kind = read, CounterMetricFamily if counter else GaugeMetricFamily

    def family(self) -> Metric:
        """The metric as Prometheus has it, now."""
        family = self._kind(self.name, self.text, labels=self.labels)
        for values, amount in self._read().items():
            family.add_metric(values, amount)
        return family


class Collected(Collector):
    """Hands metrics over to a registry of prometheus_client."""

    def __init__(self) -> None:
        self.parts: list[Counts | Spread | Watched] = []

    def collect(self) -> Iterable[Metric]:
        """Every metric, now."""
        return [part.family() for part in self.parts]
