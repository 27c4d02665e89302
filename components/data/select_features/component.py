"""Leave out the features that do not help, leak, or will be missing when the model serves."""

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def select_features(
    project: str,
    splits: dsl.Input[dsl.Dataset],
    selection: dsl.Output[dsl.Artifact],
    decisions: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    tables: dsl.Input[dsl.Dataset] = None,
    repaired: dsl.Input[dsl.Dataset] = None,
):
    """Decide on the train part which features the model gets, and show why.

    A feature goes when it is of no more use than shuffled copies of the features, when it carries the same
    information as another one, or when it will be missing at serving; and never when leaving it out costs a
    quick model quality out of fold. One that gives the label away stops the run on overwhelming evidence, and
    is reported on weaker evidence. Large data is sampled; the sample is stated. `selection` in the project
    file has the modes and the features that stay or go in any case. The test part is not read. Selection,
    decisions and report are written before the gate stops the run.

    Args:
        project: The project file's text; `selection`, `label`, `features`, `predict`, `model.transform` and
            `resources` are used.
        splits: A folder of split_data.
        tables: The sources of ingest_data: with them, availability is judged by the sources too.
        repaired: The overlay of repair_data.

    Returns:
        selection: selection.json: kept and dropped features, scores of each, quality with and without.
        decisions: Leaks and features that will be missing, with evidence and verdict.
        report: Importance against shuffled copies, redundancy, leaks, and why each feature goes.
    """
    from evergreen.runtime import describe, task

    with task("select_features"):
        from pathlib import Path

        from evergreen.decisions import stop_if_failed, write
        from evergreen.files import write_text
        from evergreen.modeling.selection.page import selection_page
        from evergreen.modeling.selection.record import write_selection
        from evergreen.modeling.selection.select import select_features as select
        from evergreen.project import parse_project

        settings = parse_project(project)
        sources, overlay = (Path(x.path) if x else None for x in (tables, repaired))
        found = select(settings, Path(splits.path), sources, overlay)
        kept, dropped = len(found.selection.kept), len(found.selection.dropped)
        describe(selection, kept=kept, dropped=dropped, mode=found.selection.mode)
        write_selection(Path(selection.path), found.selection)
        write(Path(decisions.path), found.decisions)
        write_text(Path(report.path), selection_page(settings.name, found))
        stop_if_failed(found.decisions)
