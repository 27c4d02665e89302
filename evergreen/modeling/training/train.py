"""Train the model of a project, and save it as a bundle; the same snapshot and seed give the same digest."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evergreen import __version__, log
from evergreen.bundle.save import BundleInfo, Companions, save_bundle
from evergreen.bundle.signature import Signature
from evergreen.modeling.columns import ColumnPlan, plan_columns
from evergreen.modeling.matrix import Matrix, load_matrix, sampled
from evergreen.modeling.selection.record import read_selection, selected, summary, with_reasons
from evergreen.modeling.splitting.split import read_target
from evergreen.modeling.task import Target
from evergreen.modeling.training.card import CardFacts, model_card
from evergreen.modeling.training.fit import fit
from evergreen.modeling.training.pipeline import Built, build_pipeline, named_columns
from evergreen.modeling.tuning.study import Study, Trial, read_studies
from evergreen.project.model import Project
from evergreen.tables import connect, read_meta, scan

_log = log.get(__name__)
_PACKAGES = ("numpy", "scikit-learn", "scipy", "skops", "skl2onnx", "onnxruntime")
_PARITY_ROWS = 1000


@dataclass(frozen=True)
class Trained:
    """What `train` made.

    Attributes:
        bundle: The bundle.
        built: The estimator and the transform.
        plan: The columns.
        target: The task and its classes.
        best: The trial whose parameters were used; None without a search or without a complete trial.
        study: All trials.
        rows: Rows that it was fitted on.
        warnings: What scikit-learn warned about.
        training: `training.json`.
    """

    bundle: BundleInfo
    built: Built
    plan: ColumnPlan
    target: Target
    best: Trial | None
    study: Study
    rows: int
    warnings: tuple[str, ...]
    training: Mapping[str, Any]


def train(
    project: Project,
    splits: Path,
    model: Path,
    *,
    studies: Sequence[Path] = (),
    profile: Path | None = None,
    schema: Path | None = None,
    selection: Path | None = None,
) -> Trained:
    """Fit the project's pipeline to the train part and write the bundle to the folder `model`.

    Args:
        project: The project.
        splits: The folder of `split_training_set`.
        model: Where the bundle goes.
        studies: Folders of `tune_model`; the best trial's parameters are used.
        profile: The baseline profile to freeze into the bundle.
        schema: The schema to freeze into the bundle.
        selection: What `select_features` wrote; the pipeline gets the features that it keeps. An empty folder
            says nothing: all features, as without.

    Raises:
        DataError: when no feature can be used.
        InputError: when an estimator or a parameter does not exist or does not fit the data.
    """
    meta = read_meta(splits)
    target = read_target(meta)
    study = read_studies(studies)
    choice = read_selection(selection)
    features = selected(meta["features"], choice)
    best = study.best
    part = splits / "train.parquet"
    with connect(project.resources) as con:
        plan = plan_columns(con, scan(part), features, keep=named_columns(project.model))
        plan = with_reasons(plan, choice)
        built = build_pipeline(project.model, plan, target, best.params if best else None)
        relation = sampled(con, part, meta, project.model.max_rows, project.model.seed)
        matrix = load_matrix(con, relation, plan.inputs, target, meta["label"])
    _log.info(
        "fitting", extra={"rows": matrix.rows, "columns": len(plan.inputs), "estimator": built.estimator}
    )
    warnings = fit(built.pipeline, matrix, project.resources.threads)
    signature = Signature(
        task=target.task,
        inputs=plan.inputs,
        classes=target.classes,
        positive=target.positive,
        label=meta["label"],
        entity=tuple(meta.get("entity") or ()),
        time=meta.get("time"),
    )
    training = _training(project, meta, built, plan, study, matrix.rows)
    if choice is not None:
        training["selection"] = summary(choice)
    card = model_card(CardFacts(project, meta, signature, plan, training, tuple(warnings)))
    companions = Companions(card, _text(profile), _text(schema), training)
    info = save_bundle(model, built.pipeline, signature, companions, _first_rows(plan, matrix))
    fields = {"digest": info.digest, "engine": info.engine, "reason": info.parity.reason}
    _log.info("bundle written", extra=fields)
    return Trained(info, built, plan, target, best, study, matrix.rows, tuple(warnings), training)


def _first_rows(plan: ColumnPlan, matrix: Matrix) -> dict[str, Any]:
    """Real rows for the parity gate, spread over the table."""
    step = max(1, matrix.rows // _PARITY_ROWS)
    rows = matrix.table.iloc[::step].iloc[:_PARITY_ROWS]
    return {i.name: rows[k].to_numpy() for k, i in enumerate(plan.inputs)}


def _text(path: Path | None) -> str | None:
    return None if path is None else Path(path).read_text(encoding="utf-8")


def _training(
    project: Project, meta: Mapping[str, Any], built: Built, plan: ColumnPlan, study: Study, rows: int
) -> dict[str, Any]:
    """`training.json`: what the model was made from; no clock and no path, so its digest can be repeated."""
    best = study.best
    searched = {
        "metric": study.metric,
        "trials": len(study.trials),
        "stopped": study.stopped,
        "best": None if best is None else {"params": best.params, "value": best.value},
    }
    return {
        "version": 1,
        "project": project.name,
        "training_set": {"name": meta.get("name"), "digest": meta.get("digest"), "rows": meta.get("rows")},
        "split": meta["split"],
        "rows": rows,
        "estimator": built.estimator,
        "transform": list(built.transform),
        "params": _changed_params(built),
        "tuning": searched if study.metric else None,
        "seed": project.model.seed,
        "dropped": plan.dropped,
        "packages": {"evergreen": __version__, **{name: version(name) for name in _PACKAGES}},
    }


def _changed_params(built: Built) -> dict[str, Any]:
    """The estimator's parameters that are not scikit-learn's defaults, as plain values."""
    estimator = built.pipeline[-1]
    try:
        defaults = type(estimator)().get_params(deep=False)
    except TypeError:
        defaults = {}
    values = estimator.get_params(deep=False)
    changed = [k for k in sorted(values) if k not in defaults or repr(defaults[k]) != repr(values[k])]
    return {k: _json_value(values[k]) for k in changed}


def _json_value(value: Any) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        return str(value)
