"""Evaluate a model: metrics with intervals, by slice, beside the baseline."""

from typing import NamedTuple

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate_model(
    project: str,
    splits: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    baseline: dsl.Input[dsl.Model],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    curves: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
    strategy: dsl.Input[dsl.Artifact] = None,
) -> NamedTuple("Outputs", [("primary", float)]):
    """Measure a model on the test part, overall and by slice, and on the validation part.

    Every metric has a bootstrap interval (of whole entities where entities have several rows). The baseline
    is measured on the same rows, and the difference has a paired interval. A slice with one class has no AUC:
    the reason stands in its place. Refuses a slice by a column that is not there, a metric that does not fit
    the task, a bundle with a changed byte, and a test part on which the leading metric cannot be measured.

    Args:
        project: The project file's text; `evaluation`, `slices` and `resources` are used.
        splits: The parts that `split_data` wrote.
        model: The bundle of the candidate.
        baseline: The bundle of the blessed model; an empty folder when there is none yet.
        strategy: `strategy.json` of `assess_data`: the slices of its long tail are measured too, with
            intervals for few rows. Default: none.

    Returns:
        evaluation: `evaluation.json`: metrics by data set and slice, the baseline's, the changes, the curves.
        metrics: The metrics of the whole test part.
        curves: ROC curve and confusion matrix of the test part, for a classifier.
        report: Figures, curves and slices.
        primary: The leading metric of the test part.
    """
    from evergreen.runtime import describe, task

    with task("evaluate_model"):
        from pathlib import Path

        from evergreen.files import write_text
        from evergreen.modeling.evaluation.evaluate import evaluate
        from evergreen.modeling.evaluation.outputs import log_curves, log_metrics
        from evergreen.modeling.evaluation.page import evaluation_page
        from evergreen.project import parse_project

        tail = Path(strategy.path) if strategy is not None else None
        parsed = parse_project(project)
        found = evaluate(parsed, Path(splits.path), Path(model.path), Path(baseline.path), tail)
        found.write(Path(evaluation.path))
        log_metrics(found.content, metrics)
        log_curves(found.content, curves)
        write_text(Path(report.path), evaluation_page(found.content))
        describe(evaluation, primary=found.content["primary"], value=found.primary)
    return (found.primary,)
