"""Search for the best parameters of the project's estimator."""

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def tune_model(
    project: str,
    splits: dsl.Input[dsl.Dataset],
    study: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    shard: int = 0,
    shards: int = 1,
    selection: dsl.Input[dsl.Artifact] = None,
):
    """Run a share of the project's search (Optuna), by cross-validation on the train part.

    The search is split into `model.tune.parallel` seeded sub-studies; this task runs those whose number
    leaves the rest `shard` when divided by `shards`, side by side in processes. The trials depend on the
    project and the data alone, so any number of shards gives the same result; a `timeout` may cut it short,
    and is recorded. A trial that fails is recorded with its parameters and error. Refuses a space that names
    an unknown parameter, and a search of which every trial fails. Without `model.tune` the study is empty.

    Args:
        project: The project file's text; `model`, `evaluation.primary` and `resources` are used.
        splits: A folder of split_data.
        shard: Which share of the sub-studies.
        shards: How many shares there are.
        selection: A selection of select_features; trials get the features that it keeps. Default: all.

    Returns:
        study: study.json with every trial, and seconds.json with their times.
        report: The search's history, the parameters that mattered, and every trial.
    """
    from evergreen.runtime import describe, task

    with task("tune_model", shard=shard, shards=shards):
        from pathlib import Path

        from evergreen.files import write_text
        from evergreen.modeling.tuning.page import study_page
        from evergreen.modeling.tuning.study import write_study
        from evergreen.modeling.tuning.tune import tune
        from evergreen.project import parse_project

        settings = parse_project(project)
        chosen = Path(selection.path) if selection else None
        found = tune(settings, Path(splits.path), shard=shard, shards=shards, selection=chosen)
        best = found.best.value if found.best else None
        describe(study, metric=found.metric, best=best, trials=len(found.trials))
        write_study(Path(study.path), found)
        write_text(Path(report.path), study_page(settings, found))
