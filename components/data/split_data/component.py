"""Split a training set into train, validation and test."""

from typing import NamedTuple

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def split_data(
    project: str,
    training_set: dsl.Input[dsl.Dataset],
    splits: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.HTML],
) -> NamedTuple("Outputs", [("train_rows", int), ("validation_rows", int), ("test_rows", int)]):
    """Split a training set by time, by entity, or stratified by class.

    A row's part depends on the row, the seed and a few cut values, so the same rows give the same bytes; a
    time is never on both sides of a cut, and an entity keeps its part when rows are added. Refuses a part
    that would be empty, a class that is missing in train, a label with one class, and the leaks that the
    project's `split.refuse` names: an entity in two parts, a training row later than a test row.

    Args:
        project: The project file's text; `split`, `label`, `task` and `resources` are used.
        training_set: A folder of build_training_set.

    Returns:
        splits: train.parquet, validation.parquet, test.parquet and meta.json.
        report: Rows, spans and the label's distribution by part, and what stands on both sides.
        train_rows: Rows of the train part.
        validation_rows: Rows of the validation part.
        test_rows: Rows of the test part.
    """
    from evergreen.runtime import describe, task

    with task("split_data"):
        from pathlib import Path

        from evergreen.files import write_text
        from evergreen.modeling.splitting.page import split_page
        from evergreen.modeling.splitting.split import split_training_set
        from evergreen.project import parse_project

        settings = parse_project(project)
        result = split_training_set(settings, Path(training_set.path), Path(splits.path))
        rows = {part: summary.rows for part, summary in result.parts.items()}
        describe(splits, method=result.method, task=result.target.task, **rows)
        write_text(Path(report.path), split_page(settings, result))
    return (rows["train"], rows["validation"], rows["test"])
