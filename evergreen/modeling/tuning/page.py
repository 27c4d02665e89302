"""The HTML report of a search."""

from evergreen.modeling.tuning.study import Study, Trial
from evergreen.project.model import Project
from evergreen.reports.page import Section, code, note, page, table, text, tiles
from evergreen.reports.text import number, seconds


def study_page(project: Project, study: Study) -> str:
    """The trials of a search: how it went, which parameters mattered, and every try."""
    if not study.metric:
        nothing = text(
            "The project has no `model.tune`, so the model is trained with its parameters as they are."
        )
        return page("Search", [Section("Nothing to search", [nothing])], subtitle=project.name)
    from evergreen.modeling.tuning.charts import study_figures  # Optuna, only where there was a search

    states = [t.state for t in study.trials]
    best = study.best
    figures = {
        f"Best {study.metric}": "none" if best is None or best.value is None else best.value,
        "Trials": len(study.trials),
        "Pruned": states.count("pruned"),
        "Failed": states.count("failed"),
        "Time in trials": seconds(sum(study.seconds.values())),
    }
    better = "higher" if study.higher_is_better else "lower"
    early = [name for name, why in study.stopped.items() if why == "timeout"]
    remarks = [note(f"Out of time: studies {', '.join(early)} ended early.", "warn")] if early else []
    found = [_params_table(best)] if best else [note("No trial was completed.", "warn")]
    return page(
        "Search",
        [
            Section("Result", [tiles(figures), *remarks, *found]),
            Section("How it went", study_figures(study, project.model.tune)),
            Section("Trials", [_trials_table(study)]),
        ],
        subtitle=f"{project.name}: {study.metric}, {better} is better",
    )


def _params_table(trial: Trial) -> str:
    rows = [(name, code(str(value))) for name, value in trial.params.items()]
    return table(("Parameter", "Best value"), rows)


def _trials_table(study: Study) -> str:
    rows = [
        (
            f"{t.study}/{t.number}",
            t.state,
            "" if t.value is None else t.value,
            ", ".join(f"{k}={_short(v)}" for k, v in t.params.items()),
            ", ".join(number(f) for f in t.folds),
            study.seconds.get(f"{t.study}/{t.number}", 0.0),
            t.error,
        )
        for t in study.trials
    ]
    headers = ("Trial", "State", study.metric, "Parameters", "By fold", "Seconds", "Error")
    return table(headers, rows, numeric={2, 5})


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
