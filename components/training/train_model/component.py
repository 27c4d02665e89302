"""Train the project's model and save it as a bundle."""

from typing import NamedTuple

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train_model(
    project: str,
    splits: dsl.Input[dsl.Dataset],
    profile: dsl.Input[dsl.Artifact],
    schema: dsl.Input[dsl.Artifact],
    studies: dsl.Input[list[dsl.Artifact]],
    model: dsl.Output[dsl.Model],
    report: dsl.Output[dsl.HTML],
    selection: dsl.Input[dsl.Artifact] = None,
) -> NamedTuple("Outputs", [("digest", str)]):
    """Fit the project's transform and estimator as one scikit-learn pipeline, and save a bundle.

    The bundle holds the model without pickle, its ONNX graph when that passes the parity gate, signature,
    frozen baseline, model card and digests; the same snapshot, project and seed give the same digest. Refuses
    an estimator, a transformer or a parameter that does not exist or does not fit the data, and a model that
    cannot be saved without pickle.

    Args:
        project: The project file's text; `model`, `scoping` and `resources` are used.
        splits: A folder of split_data; the train part is fitted on.
        profile: The training set's profile, frozen into the bundle.
        schema: The training set's schema, frozen into the bundle.
        studies: The studies of tune_model; the best trial's parameters are used.
        selection: A selection of select_features; the model gets the features that it keeps. Default: all.

    Returns:
        model: The bundle.
        report: Parameters, features, what was left out, parity of the graph, the model card.
        digest: The bundle's digest.
    """
    from evergreen.runtime import describe, task

    with task("train_model"):
        from pathlib import Path

        from evergreen.files import write_text
        from evergreen.modeling.training.page import training_page
        from evergreen.modeling.training.train import train
        from evergreen.project import parse_project

        settings = parse_project(project)
        trained = train(
            settings,
            Path(splits.path),
            Path(model.path),
            studies=[Path(study.path) for study in studies],
            profile=Path(profile.path),
            schema=Path(schema.path),
            selection=Path(selection.path) if selection else None,
        )
        info = trained.bundle
        describe(model, digest=info.digest, engine=info.engine, task=trained.target.task)
        write_text(Path(report.path), training_page(settings, trained))
    return (info.digest,)
