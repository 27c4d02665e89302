"""Wait for the end of a rollout, check the aliases, keep its record."""

from typing import NamedTuple

from kfp import dsl

from evergreen.images import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def conclude_rollout(
    project: str,
    rollout: str,
    record: dsl.Output[dsl.Artifact],
    decisions: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    store: str = "",
    state: str = "",
    timeout: float = 0.0,
    every: float = 2.0,
) -> NamedTuple("Outputs", [("phase", str)]):
    """Wait for the end of a rollout, check the registry's aliases against it, keep its record and page.

    After a launch `baseline` stands at the candidate and `previous` where the baseline was; an alias that
    stands elsewhere, and that nobody is on record for moving, stops the run. After a rollback the run stops,
    with the reason as its last line. The page is kept in the store under `rollouts/<id>/report.html`. Switch
    caching off for this task.

    Args:
        project: The project file's text.
        rollout: The rollout's id, from start_rollout; empty when there is none.
        store: Root URI of the store; empty: EVERGREEN_STORE or the project's.
        state: Where rollouts are recorded; empty: see deploy_model.
        timeout: Seconds to wait for the end, soak included; 0 waits for ever.
        every: Seconds between two looks.

    Returns:
        phase: How it ended: `launched`; `unchanged` without a rollout.
        record: The final record as JSON.
        decisions: The checks of the last verdict, the aliases, and one record about the whole.
        report: The rollout's page.
    """
    from evergreen.runtime import task

    with task("conclude_rollout", rollout=rollout):
        from pathlib import Path

        from evergreen import decisions as records
        from evergreen.files import write_text
        from evergreen.rollout.tasks.conclude import conclude_rollout as conclude
        from evergreen.rollout.tasks.places import open_places

        concluded = conclude(open_places(project, store, state), rollout, timeout or None, every=every)
        write_text(Path(record.path), concluded.record)
        records.write(Path(decisions.path), concluded.followed.decisions)
        write_text(Path(report.path), concluded.followed.page)
        concluded.stop_if_wrong()
    return (concluded.followed.phase,)
