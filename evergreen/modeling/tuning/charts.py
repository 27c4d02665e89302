"""Charts of a search: its history, which parameters mattered, and the score by each parameter."""

import warnings
from collections.abc import Sequence

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from evergreen.modeling.tuning.study import Study, Trial
from evergreen.project.model import Choice, Range, Tune
from evergreen.reports.charts import bars, curve, points
from evergreen.reports.page import figure

_ENOUGH = 4


def study_figures(study: Study, tune: Tune | None) -> list[str]:
    """The figures that the completed trials allow."""
    done = [t for t in study.trials if t.state == "complete" and t.value is not None]
    if not done or tune is None:
        return []
    figures: list[str] = [
        figure(_history(study, done), "Best value so far, in the order of studies and trials.")
    ]
    shares = importances(study, tune)
    if shares:
        svg = bars(list(shares), list(shares.values()), "Importance of each parameter")
        figures.append(figure(svg, "Share of the score's variance (fANOVA)."))
    figures += [figure(_slice(study, done, name, space)) for name, space in tune.space.items()]
    return figures


def _history(study: Study, done: Sequence[Trial]) -> str:
    pick = max if study.higher_is_better else min
    values = [t.value or 0.0 for t in done]
    best = [pick(values[: k + 1]) for k in range(len(values))]
    series = {
        "trial": [(float(k + 1), v) for k, v in enumerate(values)],
        "best so far": [(float(k + 1), v) for k, v in enumerate(best)],
    }
    return curve(series, "trial", study.metric, "History")


def _slice(study: Study, done: Sequence[Trial], name: str, space: Range | Choice) -> str:
    if isinstance(space, Range):
        series = {study.metric: [(float(t.params[name] or 0.0), t.value or 0.0) for t in done]}
        return points(series, name, study.metric, f"{study.metric} by {name}")
    means = []
    for choice in space.choices:
        values = [t.value or 0.0 for t in done if t.params[name] == choice]
        means.append(sum(values) / len(values) if values else None)
    return bars([str(c) for c in space.choices], means, f"Mean {study.metric} by {name}")


def importances(study: Study, tune: Tune) -> dict[str, float]:
    """The share of the score's variance that each parameter explains; empty when there are too few trials."""
    done = [t for t in study.trials if t.state == "complete" and t.value is not None]
    if len(done) < _ENOUGH or len(tune.space) < 2 or len({t.value for t in done}) < 2:
        return {}
    space = {name: _distribution(part) for name, part in tune.space.items()}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    joined = optuna.create_study(direction="maximize" if study.higher_is_better else "minimize")
    joined.add_trials(
        [optuna.create_trial(params=dict(t.params), distributions=space, value=t.value) for t in done]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        found = optuna.importance.get_param_importances(joined, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}


def _distribution(space: Range | Choice) -> BaseDistribution:
    if isinstance(space, Choice):
        return CategoricalDistribution(space.choices)
    if space.integer:
        return IntDistribution(int(space.low), int(space.high), log=space.log)
    return FloatDistribution(space.low, space.high, log=space.log)
