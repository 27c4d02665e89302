"""The model gate: hold an evaluation to the project's bounds and to the baseline."""

from typing import NamedTuple

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def compare_models(
    project: str,
    evaluation: dsl.Input[dsl.Artifact],
    data_decisions: dsl.Input[dsl.Artifact],
    decisions: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    repair_decisions: dsl.Input[dsl.Artifact] = None,
    label_decisions: dsl.Input[dsl.Artifact] = None,
    selection_decisions: dsl.Input[dsl.Artifact] = None,
    serving_decisions: dsl.Input[dsl.Artifact] = None,
) -> NamedTuple("Outputs", [("blessed", bool)]):
    """Bless a model, or stop the run with the reason as its last line (mode `fail`).

    Thresholds are held against the measured value. A change says no when the candidate is worse than the
    baseline by more than `max_loss` with confidence, and warns when that cannot be told. Small slices never
    stop a run. Refuses a gate that names a metric or a slice that the evaluation does not have.

    Args:
        project: The project file's text; `gates.model` is used.
        evaluation: `evaluation.json` of `evaluate_model`.
        data_decisions: The decisions of `validate_data`; a no there is a no here.
        repair_decisions: Those of `repair_data`.
        label_decisions: Those of `validate_labels`.
        selection_decisions: Those of `select_features`.
        serving_decisions: Those of `check_serving`.

    Returns:
        decisions: One record for each bound and slice, written before the run stops.
        report: The verdict and every decision.
        blessed: Whether the model may go on.
    """
    from evergreen.runtime import describe, task

    with task("compare_models"):
        from pathlib import Path

        from evergreen import decisions as records
        from evergreen.files import write_text
        from evergreen.modeling.evaluation.evaluate import read_evaluation
        from evergreen.modeling.evaluation.gate import blessed, decide
        from evergreen.modeling.evaluation.gate_page import gate_page
        from evergreen.project import parse_project

        gate = parse_project(project).gates.model
        measured = read_evaluation(Path(evaluation.path))
        given = (data_decisions, repair_decisions, label_decisions, selection_decisions, serving_decisions)
        earlier = [d for file in given if file for d in records.read(Path(file.path))]
        found = decide(gate, measured, earlier)
        records.write(Path(decisions.path), found)
        write_text(Path(report.path), gate_page(found, measured))
        describe(decisions, blessed=blessed(found), checks=len(found))
        records.stop_if_failed(found)
    return (True,)
