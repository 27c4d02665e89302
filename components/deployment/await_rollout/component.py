"""Wait until a rollout has passed a stage, or has ended."""

from typing import NamedTuple

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def await_rollout(
    project: str,
    rollout: str,
    decisions: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    store: str = "",
    state: str = "",
    until: str = "launched",
    timeout: float = 0.0,
    every: float = 2.0,
) -> NamedTuple("Outputs", [("phase", str), ("verdict", str)]):
    """Wait until a rollout has passed a stage, or has ended; it goes on whatever becomes of this task.

    A rollout that was rolled back, aborted or superseded stops the run, with the reason as its last line.
    When the time is over the task fails and says how to attach again: running it again does. Switch caching
    off for this task.

    Args:
        project: The project file's text.
        rollout: The rollout's id, from start_rollout; empty when there is nothing to wait for.
        store: Root URI of the store; empty: EVERGREEN_STORE or the project's.
        state: Where rollouts are recorded; empty: see deploy_model.
        until: `launched`, or the stage that must be passed: its kind, such as `experiment`, or its name, such
            as `canary 5 %`. Without an experiment in the project `experiment` means `launched`.
        timeout: Seconds; 0 waits for ever.
        every: Seconds between two looks.

    Returns:
        phase: Where it stands; `unchanged` without a rollout.
        verdict: The last one: promote, hold, stop, roll_back; empty for none.
        decisions: The checks of the last verdict, and one record about the whole.
        report: The rollout's page.
    """
    from evergreen.runtime import task

    with task("await_rollout", rollout=rollout, until=until):
        from pathlib import Path

        from evergreen import decisions as records
        from evergreen.files import write_text
        from evergreen.rollout.tasks.follow import await_rollout as follow
        from evergreen.rollout.tasks.places import open_places

        places = open_places(project, store, state)
        followed = follow(places, rollout, until, timeout or None, every=every)
        records.write(Path(decisions.path), followed.decisions)
        write_text(Path(report.path), followed.page)
        followed.stop_if_taken_back()
    return (followed.phase, followed.verdict)
