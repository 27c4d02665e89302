"""One sub-study: seeded, sequential, with pruning and a deadline."""

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from evergreen import log
from evergreen.errors import EvergreenError, InputError
from evergreen.modeling.columns import ColumnPlan, plan_columns
from evergreen.modeling.evaluation.metrics import chosen_metrics, default_metrics, higher_is_better, score
from evergreen.modeling.matrix import Matrix, load_matrix, sampled
from evergreen.modeling.selection.record import read_selection, selected
from evergreen.modeling.splitting.split import read_target
from evergreen.modeling.task import Target
from evergreen.modeling.training.fit import fit, predict
from evergreen.modeling.training.pipeline import build_pipeline, named_columns, parameter_path
from evergreen.modeling.tuning.folds import Fold, make_folds
from evergreen.modeling.tuning.study import State, Study, Trial, Value
from evergreen.project.model import Choice, Model, Project, Range, Tune
from evergreen.tables import connect, read_meta, scan

_log = log.get(__name__)


class _OutOfTime(Exception):
    """The deadline passed inside a trial."""


@dataclass(frozen=True)
class Setting:
    """What all trials share: rows, folds, columns, metric."""

    model: Model
    tune: Tune
    target: Target
    plan: ColumnPlan
    matrix: Matrix
    folds: Sequence[Fold]
    metric: str


def prepare(project: Project, splits: Path, selection: Path | None = None) -> Setting:
    """Load the rows of the train part (at most `tune.max_rows`) and make the folds.

    Raises:
        DataError, InputError: as `check_search`, and when there are too few rows for the folds.
    """
    tune, plan, target = check_search(project, splits, selection)
    meta = read_meta(splits)
    with connect(project.resources) as con:
        relation = sampled(con, splits / "train.parquet", meta, tune.max_rows, project.model.seed)
        matrix = load_matrix(con, relation, plan.inputs, target, meta["label"])
        folds = make_folds(con, relation, meta, target, matrix.target, tune.folds)
    return Setting(project.model, tune, target, plan, matrix, folds, tuning_metric(project, target))


def check_search(
    project: Project, splits: Path, selection: Path | None = None
) -> tuple[Tune, ColumnPlan, Target]:
    """Find what is wrong with a search before any row is loaded; `selection` is what `select_features` wrote.

    Raises:
        InputError: when the project has no search, or names an unknown estimator, parameter or metric.
        DataError: when no feature can be used.
    """
    tune = project.model.tune
    if tune is None:
        raise InputError("model.tune", "the project has no search", remedy="Add `model.tune`.")
    meta = read_meta(splits)
    target = read_target(meta)
    with connect(project.resources) as con:
        features = selected(meta["features"], read_selection(selection))
        plan = plan_columns(con, scan(splits / "train.parquet"), features, keep=named_columns(project.model))
    pipeline = build_pipeline(project.model, plan, target).pipeline
    for name in tune.space:
        parameter_path(pipeline, name)
    chosen_metrics(target.task, tuning_metric(project, target), [])
    return tune, plan, target


def tuning_metric(project: Project, target: Target) -> str:
    """`evaluation.primary`, or the first metric that fits the task."""
    return project.evaluation.primary or default_metrics(target.task)[0]


def trials_of(tune: Tune, index: int) -> int:
    """How many trials sub-study `index` runs: an equal share, the first ones take what is left over."""
    return tune.trials // tune.parallel + (index < tune.trials % tune.parallel)


def seed_of(seed: int, index: int) -> int:
    """The seed of a sub-study: 31 bits of a hash of the project's seed and its index."""
    return int(hashlib.sha256(f"{seed}/{index}".encode()).hexdigest()[:8], 16) & 0x7FFFFFFF


def run_substudy(
    setting: Setting, index: int, deadline: float | None = None, threads: int | None = None
) -> Study:
    """Run one sub-study; the same setting and index give the same trials, whatever runs beside it.

    Args:
        setting: Rows, folds, columns and metric.
        index: Which one.
        deadline: When to stop (seconds since 1970); a trial under way then counts as unfinished.
        threads: Cores that a fit may use; no influence on the result.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    count = trials_of(setting.tune, index)
    study = _optuna_study(setting, index, count)
    trials, seconds = [], {}
    stopped = "trials"
    for _ in range(count):
        if deadline is not None and time.time() >= deadline:
            stopped = "timeout"
            break
        begun = time.monotonic()
        trial = _run_trial(setting, study, index, deadline, threads)
        trials.append(trial)
        seconds[f"{index}/{trial.number}"] = round(time.monotonic() - begun, 3)
        fields = {
            "study": index,
            "trial": trial.number,
            "of": count,
            "state": trial.state,
            "value": trial.value,
        }
        _log.info("trial ended", extra=fields)
        if trial.state == "unfinished":
            stopped = "timeout"
            break
    higher = higher_is_better(setting.metric)
    return Study(setting.metric, higher, tuple(trials), {str(index): stopped}, seconds)


def _optuna_study(setting: Setting, index: int, count: int) -> optuna.Study:
    sampler = optuna.samplers.TPESampler(
        seed=seed_of(setting.model.seed, index), n_startup_trials=min(10, max(3, count // 3))
    )
    pruner = (
        optuna.pruners.MedianPruner(n_startup_trials=3) if setting.tune.prune else optuna.pruners.NopPruner()
    )
    direction = "maximize" if higher_is_better(setting.metric) else "minimize"
    study = optuna.create_study(direction=direction, sampler=sampler, pruner=pruner)
    if index == 0:
        defaults = _defaults(setting)
        if defaults is not None:
            study.enqueue_trial(defaults)
    return study


def _defaults(setting: Setting) -> dict[str, Value] | None:
    """The project's own parameters, if they lie in the space: as a first trial, so no search does worse."""
    pipeline = build_pipeline(setting.model, setting.plan, setting.target).pipeline
    known = pipeline.get_params(deep=True)
    values = {name: known[parameter_path(pipeline, name)] for name in setting.tune.space}
    return values if all(_inside(v, setting.tune.space[n]) for n, v in values.items()) else None


def _inside(value: Any, space: Range | Choice) -> bool:
    if isinstance(space, Choice):
        return any(type(c) is type(value) and c == value for c in space.choices)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and space.low <= value <= space.high and (not space.integer or float(value).is_integer())


def _suggest(trial: optuna.Trial, tune: Tune) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, space in tune.space.items():
        if isinstance(space, Choice):
            values[name] = trial.suggest_categorical(name, space.choices)
        elif space.integer:
            values[name] = trial.suggest_int(
                name, math.ceil(space.low), math.floor(space.high), log=space.log
            )
        else:
            values[name] = trial.suggest_float(name, space.low, space.high, log=space.log)
    return values


def _run_trial(
    setting: Setting, study: optuna.Study, index: int, deadline: float | None, threads: int | None
) -> Trial:
    asked = study.ask()
    params = _suggest(asked, setting.tune)
    scores: list[float] = []
    state: State = "complete"
    error = ""
    try:
        for step, fold in enumerate(setting.folds):
            if step and deadline is not None and time.time() >= deadline:
                raise _OutOfTime
            scores.append(_score_fold(setting, params, fold, threads))
            asked.report(scores[-1], step)
            if asked.should_prune():
                raise optuna.TrialPruned
        value = sum(scores) / len(scores)
        study.tell(asked, value)
    except optuna.TrialPruned:
        state, value = "pruned", None
        study.tell(asked, state=optuna.trial.TrialState.PRUNED)
    except _OutOfTime:
        state, value = "unfinished", None
        study.tell(asked, state=optuna.trial.TrialState.FAIL)
    except EvergreenError as failed:
        state, value, error = "failed", None, str(failed)
        study.tell(asked, state=optuna.trial.TrialState.FAIL)
    except (ValueError, TypeError, ArithmeticError, MemoryError) as failed:
        state, value, error = "failed", None, f"{type(failed).__name__}: {failed}"[:500]
        study.tell(asked, state=optuna.trial.TrialState.FAIL)
    return Trial(index, asked.number, params, state, value, tuple(scores), error)


def _score_fold(setting: Setting, params: dict[str, Value], fold: Fold, threads: int | None) -> float:
    pipeline = build_pipeline(setting.model, setting.plan, setting.target, params).pipeline
    table, labels = setting.matrix.table, setting.matrix.target
    fit(pipeline, Matrix(table.iloc[fold.fit], labels[fold.fit]), threads)
    prediction = predict(pipeline, table.iloc[fold.score], setting.target)
    value = float(score(setting.metric, setting.target, labels[fold.score], prediction))
    if not math.isfinite(value):
        raise ValueError(f"{setting.metric} is {value} on a fold")
    return value
