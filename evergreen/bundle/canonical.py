"""Skops files in one canonical form: the same fitted model gives the same bytes, in any process.

Skops names array files after object ids, writes those ids into its schema, and stamps every entry with the
time. Here files are named after their content, ids only remain where an object is shared (renumbered in order
of appearance), sets are sorted, gaps in records are zero, what scikit-learn notes about the machine is set to
a fixed value, and the archive holds no time. `skops.io.load` reads the result as ever.
"""

import hashlib
import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import skops.io
from skops.io.exceptions import UnsupportedTypeException

from evergreen.errors import InputError

_SCHEMA = "schema.json"
_OF_THE_MACHINE = {"n_threads", "_n_threads", "_stop_words_id"}
_OF_THE_MACHINE_VALUE = "1"
_EPOCH = (1980, 1, 1, 0, 0, 0)
# Sharing one of these cannot be told from an equal copy, and whether it happens depends on the interpreter.
_IMMUTABLE = {"JsonNode", "TypeNode", "FunctionNode", "TupleNode", "SliceNode", "DTypeNode", "BytesNode"}


def dump(model: Any) -> bytes:
    """Serialise a fitted model without pickle, canonically.

    Raises:
        InputError: when skops cannot hold one of the model's parts; the message names it.
    """
    try:
        return normalise(skops.io.dumps(model))
    except (UnsupportedTypeException, TypeError) as error:
        raise InputError(
            "model.estimator",
            f"it cannot be saved without pickle ({error})",
            remedy="Choose another estimator or transformer; parameters must be plain values.",
        ) from error


def normalise(data: bytes) -> bytes:
    """A skops file's bytes in canonical form; idempotent."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        entries = {n: _without_padding(n, archive.read(n)) for n in archive.namelist() if n != _SCHEMA}
    names = {
        old: f"{hashlib.sha256(content).hexdigest()[:40]}.{old.rpartition('.')[2]}"
        for old, content in entries.items()
    }
    _rename_files(schema, names)
    _forget_machine(schema)
    _sort_sets(schema)
    _number_objects(schema)
    text = json.dumps(schema, separators=(",", ":"), ensure_ascii=True).encode()
    return _zip({**{names[old]: content for old, content in entries.items()}, _SCHEMA: text})


def _without_padding(name: str, content: bytes) -> bytes:
    """A tree's nodes are records with gaps between the fields; whatever was in memory there becomes zero."""
    if not name.endswith(".npy"):
        return content
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.names is None:
        return content
    clean = np.frombuffer(bytearray(array.nbytes), dtype=array.dtype).reshape(array.shape)
    for field in array.dtype.names:
        clean[field] = array[field]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()


def _nodes(state: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary of a schema, depth first, in order."""
    stack = [state]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            yield part
            stack.extend(reversed(list(part.values())))
        elif isinstance(part, list):
            stack.extend(reversed(part))


def _rename_files(schema: dict[str, Any], names: dict[str, str]) -> None:
    for node in _nodes(schema):
        if "__loader__" in node and isinstance(node.get("file"), str):
            node["file"] = names[node["file"]]


def _forget_machine(schema: dict[str, Any]) -> None:
    """Set what depends on the process: the number of cores when binning, the id of a stop word list."""
    for node in _nodes(schema):
        if node.get("__class__") == "dict" and isinstance(node.get("content"), dict):
            for name in _OF_THE_MACHINE & node["content"].keys():
                if node["content"][name].get("__loader__") == "JsonNode":
                    node["content"][name]["content"] = _OF_THE_MACHINE_VALUE


def _sort_sets(schema: dict[str, Any]) -> None:
    for node in _nodes(schema):
        if node.get("__loader__") == "SetNode":
            node["content"].sort(key=_without_ids)


def _without_ids(state: Any) -> str:
    return json.dumps(_mapped(state, lambda d: {k: v for k, v in d.items() if k != "__id__"}), sort_keys=True)


def _mapped(state: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    if isinstance(state, dict):
        return {k: _mapped(v, change) for k, v in change(state).items()}
    return [_mapped(v, change) for v in state] if isinstance(state, list) else state


def _number_objects(schema: dict[str, Any]) -> None:
    """Keep the ids of objects that appear more than once, as 1, 2, 3…; drop the rest."""
    objects = [n for n in _nodes(schema) if "__id__" in n and "__loader__" in n]
    uses = Counter(n["__id__"] for n in objects if n["__loader__"] not in _IMMUTABLE)
    numbers: dict[Any, int] = {}
    for node in objects:
        identity = node.pop("__id__")
        if node["__loader__"] not in _IMMUTABLE and uses[identity] > 1:
            node["__id__"] = numbers.setdefault(identity, len(numbers) + 1)


def _zip(entries: dict[str, bytes]) -> bytes:
    """An archive of stored entries; compression is left out because zlib's bytes differ between builds."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, date_time=_EPOCH)
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, entries[name])
    return buffer.getvalue()
