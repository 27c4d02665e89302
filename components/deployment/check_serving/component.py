"""Infra validation: the bundle in the real model server, before it is pushed."""

from typing import NamedTuple

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def check_serving(
    project: str,
    model: dsl.Input[dsl.Model],
    splits: dsl.Input[dsl.Dataset],
    decisions: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
) -> NamedTuple("Outputs", [("p99", float), ("cold_start", float), ("memory", int)]):
    """Start a bundle in the real model server, ask it, and stop the run when it is not fit (mode `fail`).

    Real rows of the test part are sent as rows and as tensors, and compared with what the trained pipeline
    predicts without the graph; then single rows for the latency; then hostile requests (broken JSON, wrong
    types, numbers past all bounds, shapes that lie, rows without end), none of which may be answered with a
    5xx, or keep the server from answering real rows as before. Refuses a bundle with a changed byte.

    Args:
        project: The project file's text; `serving` is used, `serving.check` holds the bounds.
        model: The bundle of `train_model`.
        splits: The parts that `split_data` wrote.

    Returns:
        decisions: One record for each check, written before the run stops.
        report: Figures, latencies, and every hostile request with its answer.
        p99: Seconds; 99 of 100 single rows are answered within it.
        cold_start: Seconds from the start of the server until it was ready.
        memory: Resident bytes of the server after all requests.
    """
    from evergreen.runtime import task

    with task("check_serving"):
        from pathlib import Path

        from evergreen import decisions as records
        from evergreen.files import write_text
        from evergreen.project import parse_project
        from evergreen.serving.check.check import check_serving as check
        from evergreen.serving.check.page import check_page

        parsed = parse_project(project)
        found = check(parsed, Path(model.path), Path(splits.path))
        records.write(Path(decisions.path), found.decisions)
        write_text(Path(report.path), check_page(found, parsed.name))
        records.stop_if_failed(found.decisions)
    return (found.p99, found.cold_start, found.memory)
