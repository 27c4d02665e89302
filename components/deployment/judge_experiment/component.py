"""Say who won the experiment of a rollout."""

from typing import NamedTuple

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def judge_experiment(
    project: str,
    rollout: str,
    decisions: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    store: str = "",
    state: str = "",
) -> NamedTuple("Outputs", [("winner", str), ("relative", float)]):
    """Say who won the experiment of a rollout, by the looks that its controller took.

    Nothing is looked at anew, and nothing is decided: the rollout itself went on or back by the same looks. A
    project without an experiment gets a record that says so. Switch caching off for this task.

    Args:
        project: The project file's text.
        rollout: The rollout's id, from start_rollout; empty when there is none.
        store: Root URI of the store; empty: EVERGREEN_STORE or the project's.
        state: Where rollouts are recorded; empty: see deploy_model.

    Returns:
        winner: `candidate`, `baseline` or `none`.
        relative: Candidate over baseline, less 1, of the first success metric at the last look; 0 for none.
        decisions: One record for each success metric, and one about the whole.
        report: The looks between their bounds.
    """
    from evergreen.runtime import task

    with task("judge_experiment", rollout=rollout):
        from pathlib import Path

        from evergreen import decisions as records
        from evergreen.files import write_text
        from evergreen.rollout.tasks.places import open_places
        from evergreen.rollout.tasks.trial import judge_experiment as judge

        judged = judge(open_places(project, store, state), rollout)
        records.write(Path(decisions.path), judged.decisions)
        write_text(Path(report.path), judged.page)
    return (judged.winner, judged.relative)
