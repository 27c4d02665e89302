"""Say whether data is small or large, find its long tail, and say what follows."""

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def assess_data(
    project: str,
    table: dsl.Input[dsl.Dataset],
    strategy: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
):
    """Assess a training set: small or large data, how rows are spread, and the slices of its long tail.

    Small data asks for label accuracy first, large data for post-processing first; a long tail is small data
    inside large data. Its slices (entities with few rows, rare values and pairs, extremes, rare classes) are
    found on their own, in bounded memory, and `evaluate_model` measures them with intervals for few rows.

    Args:
        project: The project file's text; `long_tail`, `label`, `split` and `resources` are used.
        table: A training set, or a Parquet file or folder.

    Returns:
        strategy: `strategy.json`: size, classes, entities, slices as rules, advice with its numbers.
        report: Lorenz curve, rows by rank, classes, slices.
    """
    from evergreen.runtime import describe, task

    with task("assess_data"):
        from pathlib import Path

        from evergreen.files import write_text
        from evergreen.project import parse_project
        from evergreen.strategy.assess import assess_folder
        from evergreen.strategy.page import strategy_page

        parsed = parse_project(project)
        made = assess_folder(
            Path(table.path),
            parsed.long_tail,
            parsed.resources,
            positive=parsed.label.positive,
            test=parsed.split.test,
        )
        made.write(Path(strategy.path))
        write_text(Path(report.path), strategy_page(made, parsed.name))
        describe(strategy, rows=made.rows, size=made.size, slices=len(made.slices))
