"""Write a bundle: the model, its graph when that passes the parity gate, and what they mean."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from evergreen.bundle import canonical, manifest
from evergreen.bundle.convert import NotConvertible, convert
from evergreen.bundle.encode import encode_columns
from evergreen.bundle.graph import OnnxEngine
from evergreen.bundle.native import NativeEngine, audit, load_model
from evergreen.bundle.parity import Parity, as_record, compare, probes
from evergreen.bundle.signature import Signature
from evergreen.errors import BundleError, EvergreenError, InputError
from evergreen.files import aside

_PROBE_ROWS = 1000


@dataclass(frozen=True)
class BundleInfo:
    """What was saved.

    Attributes:
        folder: The bundle.
        digest: Over all its files; the same model from the same data has the same digest.
        engine: `onnx`, or `native` when the graph did not pass.
        parity: What the parity gate saw.
        signature: The signature as saved.
    """

    folder: Path
    digest: str
    engine: str
    parity: Parity
    signature: Signature


@dataclass(frozen=True)
class Companions:
    """What stands beside the model in a bundle; texts, written as they are.

    Attributes:
        card: `card.md`, the model card.
        profile: `profile.json`, the frozen baseline profile; None leaves it out.
        schema: `schema.yaml`, the frozen schema; None leaves it out.
        training: `training.json`: the snapshot, the parameters, the seed, the versions. No clock.
    """

    card: str
    profile: str | None
    schema: str | None
    training: Mapping[str, Any]


def save_bundle(
    folder: Path, model: Any, signature: Signature, companions: Companions, rows: Any, *, graph: bool = True
) -> BundleInfo:
    """Write a bundle, whole or not at all.

    Args:
        folder: Where to.
        model: A fitted scikit-learn pipeline over `encode_columns`' arrays (columns numbered from 0); a
            classifier's classes are the places in `signature.classes`.
        signature: What it takes and gives; `has_probabilities` and `accepts_missing` are found out here.
        companions: The card, the baseline and the lineage.
        rows: Real rows (a DataFrame or names to columns) for the parity gate; the first 1000 are used.
        graph: Whether to try a graph at all.

    Raises:
        InputError: when the model cannot be saved without pickle, or holds a type that is not trusted.
    """
    data = canonical.dump(model)
    try:
        audit(data, "model.estimator")
    except BundleError as error:
        raise InputError(
            error.where, error.found, remedy="Choose another estimator or transformer."
        ) from error
    native = NativeEngine(load_model(data), replace(signature, accepts_missing=True))
    signature = replace(
        signature, has_probabilities=signature.classes is not None and hasattr(model, "predict_proba")
    )
    native.signature = signature
    tables, signature = _probe_tables(native, signature, rows)
    native.signature = signature
    content, parity = (
        _graph(model, signature, native, tables) if graph else (None, Parity(False, "not asked for"))
    )
    texts = _texts(signature, companions, parity)
    with aside(folder) as temporary:
        temporary.mkdir()
        (temporary / "model.skops").write_bytes(data)
        if content is not None:
            (temporary / "model.onnx").write_bytes(content)
        for name, text in texts.items():
            (temporary / name).write_text(text, encoding="utf-8")
        written = manifest.write(temporary)
    return BundleInfo(Path(folder), written["digest"], written["engine"], parity, signature)


def _probe_tables(
    native: NativeEngine, signature: Signature, rows: Any
) -> tuple[dict[str, list[np.ndarray]], Signature]:
    """The rows to compare on; a pipeline that fails on missing numbers gets a signature that says so."""
    arrays = [a[:_PROBE_ROWS] for a in encode_columns(signature, rows)[0]]
    tables = probes(signature, arrays)
    without_numbers = [
        hole if a.dtype != object else a for a, hole in zip(arrays, tables["missing"], strict=True)
    ]
    try:
        native.run(arrays, len(arrays[0]))
    except InputError as error:
        raise InputError("model", f"it cannot predict rows it was trained on: {error.found}") from error
    had_missing = any(np.isnan(a).any() for a in arrays if a.dtype != object)
    try:
        native.run(without_numbers, len(arrays[0]))
    except EvergreenError:
        if had_missing:
            return tables, signature
        kept = {kind: table for kind, table in tables.items() if "missing" not in kind}
        return kept, replace(signature, accepts_missing=False)
    return tables, signature


def _graph(
    model: Any, signature: Signature, native: NativeEngine, tables: Mapping[str, list[Any]]
) -> tuple[bytes | None, Parity]:
    try:
        content = convert(model, signature)
        engine = OnnxEngine(content, signature)
    except (NotConvertible, BundleError) as error:
        return None, Parity(False, str(error))
    parity = compare(signature, native, engine, tables)
    return (content if parity.passed else None), parity


def _texts(signature: Signature, companions: Companions, parity: Parity) -> dict[str, str]:
    texts = {
        "signature.json": signature.to_json(),
        "card.md": companions.card.rstrip() + "\n",
        "parity.json": _json(as_record(parity)),
        "training.json": _json(companions.training),
    }
    optional = {"profile.json": companions.profile, "schema.yaml": companions.schema}
    return texts | {name: text for name, text in optional.items() if text is not None}


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
