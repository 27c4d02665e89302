"""An evaluation as a pipeline's metric artifacts; by their methods alone, so KFP is not needed here."""

from collections.abc import Mapping
from typing import Any, Protocol


class MetricSink(Protocol):
    """What takes named numbers, such as KFP's `Metrics`."""

    def log_metric(self, metric: str, value: float) -> None:
        """Keep one number."""


class CurveSink(Protocol):
    """What takes a ROC curve and a confusion matrix, such as KFP's `ClassificationMetrics`."""

    def log_roc_curve(self, fpr: list[float], tpr: list[float], threshold: list[float]) -> None:
        """Keep a curve; all values are finite."""

    def log_confusion_matrix(self, categories: list[str], matrix: list[list[int]]) -> None:
        """Keep a matrix; a line for each label, a column for each prediction."""


def log_metrics(evaluation: Mapping[str, Any], sink: MetricSink) -> None:
    """Write the metrics of the whole test set that have a value."""
    for metric, measured in evaluation["datasets"]["test"]["overall"]["metrics"].items():
        if measured["value"] is not None:
            sink.log_metric(metric, float(measured["value"]))


def log_curves(evaluation: Mapping[str, Any], sink: CurveSink) -> None:
    """Write the ROC curve and the confusion matrix, where the task has them."""
    found = (evaluation["curves"] or {}).get("candidate")
    if found:
        fpr, tpr, threshold = (list(column) for column in zip(*found["roc"], strict=True))
        sink.log_roc_curve(fpr, tpr, threshold)
    if evaluation["confusion"]:
        sink.log_confusion_matrix(evaluation["confusion"]["labels"], evaluation["confusion"]["counts"])
