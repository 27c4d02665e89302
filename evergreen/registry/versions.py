"""Versions: how a bundle becomes one, whole or not at all, and how it comes back unchanged."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evergreen.bundle.manifest import verify
from evergreen.decisions import Decision
from evergreen.errors import BundleError, ConflictError, GateStopped, InputError, NotFoundError
from evergreen.files import aside
from evergreen.registry.records import (
    ModelVersion,
    actor,
    decode,
    decode_version,
    encode,
    encode_version,
    now,
    summary,
)
from evergreen.storage import Store

ROOT = "models"
_MARK = re.compile(r"(\d{6,})/(version|claim)\.json")


@dataclass(frozen=True)
class Push:
    """A bundle on its way in, with what is told about it."""

    name: str
    bundle: Path
    decisions: tuple[Decision, ...]
    evaluation: Mapping[str, Any]
    snapshot: str
    settings: Mapping[str, Mapping[str, Any]]

    @property
    def blessed(self) -> bool:
        """Whether a gate looked and said no to nothing."""
        return bool(self.decisions) and all(d.verdict != "fail" for d in self.decisions)


def require_blessing(name: str, decisions: Sequence[Decision], allow_unblessed: bool) -> None:
    """Refuse a bundle that a gate said no to, or that none has seen.

    Raises:
        GateStopped: when a decision is `fail`.
        InputError: when there are none.
    """
    if allow_unblessed:
        return
    reasons = [d.reason for d in decisions if d.verdict == "fail"]
    if reasons:
        raise GateStopped(f"model {name} is not pushed, its gate said no: {'; '.join(reasons)}")
    if not decisions:
        remedy = "Give the decisions of compare_models, or allow an unblessed model."
        raise InputError(f"model {name}", "comes without a gate's decisions", remedy=remedy)


def _folder(name: str, number: int) -> str:
    return f"{ROOT}/{name}/versions/{number:06d}"


def numbers(store: Store, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The numbers of the versions that are there, and of those that were claimed but are not there yet."""
    marks: dict[str, set[int]] = {"version": set(), "claim": set()}
    for entry in store.child(f"{ROOT}/{name}/versions").list():
        match = _MARK.fullmatch(entry.key)
        if match:
            marks[match[2]].add(int(match[1]))
    return tuple(sorted(marks["version"])), tuple(sorted(marks["claim"] - marks["version"]))


def read(store: Store, name: str, number: int) -> ModelVersion | None:
    """One version, or None."""
    key = f"{_folder(name, number)}/version.json"
    try:
        data = store.read(key)
    except NotFoundError:
        return None
    return decode_version(f"{store.uri}/{key}", f"{store.uri}/{_folder(name, number)}/bundle", data)


def push(store: Store, push: Push) -> ModelVersion:
    """Make a version of a bundle, or find the one that holds it.

    A number is claimed first, so that two pushes never write to one folder; then the files go up; then
    `version.json` makes the version visible. A push that died is taken up again by the next one of the same
    content, which writes the same bytes; nobody ever sees a part of it.

    Raises:
        BundleError: when the bundle is incomplete or was changed.
    """
    manifest = verify(push.bundle)
    content = hashlib.sha256(f"{manifest['digest']} {push.blessed}".encode()).hexdigest()
    committed, claimed = numbers(store, push.name)
    for number in reversed(committed):
        version = read(store, push.name, number)
        if version and (version.digest, version.blessed) == (manifest["digest"], push.blessed):
            return version
    for number in reversed(claimed):
        if _claimed_content(store, push.name, number) == content:
            return _commit(store, push, number, manifest)
    number = _claim(store, push.name, max((0, *committed, *claimed)) + 1, content)
    return _commit(store, push, number, manifest)


def _claim(store: Store, name: str, number: int, content: str) -> int:
    """Take the first free number from `number` on; one that was claimed for the same content is as good."""
    while True:
        claim = encode({"content": content, "by": actor(), "when": now()})
        try:
            store.write_if(f"{_folder(name, number)}/claim.json", claim, None)
        except ConflictError:
            if _claimed_content(store, name, number) != content:
                number += 1
                continue
        return number


def _claimed_content(store: Store, name: str, number: int) -> str:
    key = f"{_folder(name, number)}/claim.json"
    try:
        return str(decode(f"{store.uri}/{key}", store.read(key)).get("content", ""))
    except NotFoundError:
        return ""


def _commit(store: Store, push: Push, number: int, manifest: Mapping[str, Any]) -> ModelVersion:
    folder = _folder(push.name, number)
    for file in [*sorted(manifest["files"]), "manifest.json"]:
        store.upload(Path(push.bundle) / file, f"{folder}/bundle/{file}")
    version = ModelVersion(
        name=push.name,
        version=number,
        digest=manifest["digest"],
        created=now(),
        by=actor(),
        blessed=push.blessed,
        snapshot=push.snapshot,
        evaluation=summary(push.evaluation),
        decisions=push.decisions,
        uri=f"{store.uri}/{folder}/bundle",
        settings=push.settings,
    )
    try:
        store.write_if(f"{folder}/version.json", encode_version(version), None)
    except ConflictError:  # a retry of this very push was faster
        return read(store, push.name, number) or version
    return version


def fetch(store: Store, version: ModelVersion, folder: Path) -> None:
    """Copy a version's bundle to a folder and verify it there before it takes that name.

    Raises:
        BundleError: naming the file whose bytes were changed, or that is missing.
    """
    where = f"{_folder(version.name, version.version)}/bundle"
    with aside(folder) as temporary:
        try:
            store.download_tree(where, temporary)
            digest = verify(temporary)["digest"]
        except NotFoundError as error:
            raise BundleError(version.uri, "the version's files are gone") from error
        except BundleError as error:
            file = f"{version.uri}/{Path(error.where).name}"
            raise BundleError(
                file, error.found, remedy="Push the model again, or use another version."
            ) from error
        if digest != version.digest:
            found = f"it is of another bundle: digest {digest[:12]}, not {version.digest[:12]}"
            raise BundleError(f"{version.uri}/manifest.json", found)
