"""The registry's interface: push, move, resolve, fetch, and what there is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evergreen.decisions import Decision
from evergreen.errors import NotFoundError, StorageError
from evergreen.files import aside
from evergreen.registry import aliases, versions
from evergreen.registry.records import Model, ModelVersion, Move
from evergreen.registry.refs import checked_name, parse_ref, unknown
from evergreen.storage import Store


class Registry:
    """Models in a store. Safe for any number of users at once: every change is a compare-and-swap."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def uri(self) -> str:
        """The root of the store."""
        return self._store.uri

    def push(
        self,
        name: str,
        bundle: Path,
        *,
        decisions: Sequence[Decision],
        evaluation: Mapping[str, Any] | None = None,
        snapshot: str = "",
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        allow_unblessed: bool = False,
    ) -> ModelVersion:
        """Store a bundle as a new version, or return the version that already holds this very bundle.

        Args:
            name: The model's name.
            bundle: The bundle's folder.
            decisions: What the gates said.
            evaluation: The evaluation artifact; a summary of it is kept.
            snapshot: Digest of the training set.
            settings: The project's sections `serving` and `rollout`, as plain data.
            allow_unblessed: Take a bundle that no gate saw, or that one said no to.

        Raises:
            GateStopped: when a decision is `fail`.
            InputError: when there are no decisions, or the name is not one.
            BundleError: when the bundle is incomplete or was changed.
        """
        versions.require_blessing(name, decisions, allow_unblessed)
        push = versions.Push(
            checked_name(name, "model"), bundle, tuple(decisions), evaluation or {}, snapshot, settings or {}
        )
        return versions.push(self._store, push)

    def move(
        self,
        name: str,
        alias: str,
        version: int,
        *,
        why: str,
        evidence: str = "",
        expected: int | None = None,
        allow_unblessed: bool = False,
    ) -> tuple[Move, ...]:
        """Set an alias to a version. Moving `baseline` sets `previous` to where it stood.

        Args:
            name: The model's name.
            alias: The alias; a new one is made.
            version: Where it shall stand.
            why: The reason, for the history.
            evidence: Where to look for the proof.
            expected: Where the alias must stand now, 0 for nowhere; None for anywhere.
            allow_unblessed: Let `baseline` stand at a version without a blessing.

        Returns:
            The moves; none when the alias stands there already.

        Raises:
            NotFoundError: when there is no such version.
            ConflictError: when the alias does not stand at `expected`.
            InputError: for an unblessed version as `baseline`.
        """
        target = self.version(name, version)
        if alias == aliases.BASELINE and not allow_unblessed:
            aliases.require_blessed(target)
        order = aliases.Order(checked_name(alias, "alias"), version, why, evidence, expected)
        return aliases.move(self._store, name, order)

    def version(self, name: str, version: int) -> ModelVersion:
        """One version of a model.

        Raises:
            NotFoundError: naming the models or versions that exist.
        """
        found = versions.read(self._store, checked_name(name, "model"), version)
        if found is None:
            there = self._require_model(name)
            raise unknown("version", str(version), map(str, there), f"model {name} ({self.uri})", "")
        return found

    def resolve(self, ref: str) -> ModelVersion:
        """The version that `name@alias` or `name@3` stands for now.

        Raises:
            InputError: when the reference is neither.
            NotFoundError: when there is no such model, alias or version; it names those that exist.
        """
        parsed = parse_ref(ref)
        if parsed.version:
            return self.version(parsed.name, parsed.version)
        known = self.aliases(parsed.name)
        if parsed.alias not in known:
            self._require_model(parsed.name)
            remedy = f"Name a version such as {parsed.name}@1, or run the train pipeline with promote."
            raise unknown("alias", parsed.alias, known, f"model {parsed.name} ({self.uri})", remedy)
        try:
            return self.version(parsed.name, known[parsed.alias])
        except NotFoundError as error:
            raise StorageError(
                f"{ref} in {self.uri}", "the alias points at a version that is gone"
            ) from error

    def fetch(self, ref: str, folder: Path) -> ModelVersion:
        """Copy a version's bundle to a folder, which is replaced, and verify every digest.

        Raises:
            NotFoundError: when there is no such model, alias or version.
            BundleError: naming the file whose bytes were changed, or that is missing.
        """
        version = self.resolve(ref)
        versions.fetch(self._store, version, folder)
        return version

    def fetch_or_empty(self, ref: str, folder: Path) -> ModelVersion | None:
        """As `fetch`, but a model or alias that is not there makes an empty folder and returns None.

        Raises:
            BundleError: naming the file whose bytes were changed, or that is missing.
        """
        try:
            return self.fetch(ref, folder)
        except NotFoundError:
            with aside(folder) as temporary:
                temporary.mkdir()
            return None

    def models(self) -> list[Model]:
        """Every model with a version, by name."""
        found = ((name, versions.numbers(self._store, name)) for name in self._store.folders(versions.ROOT))
        return [Model(name, committed, self.aliases(name)) for name, (committed, _) in found if committed]

    def versions(self, name: str) -> list[ModelVersion]:
        """Every version of a model, oldest first.

        Raises:
            NotFoundError: when there is no such model.
        """
        return [self.version(name, number) for number in self._require_model(name)]

    def aliases(self, name: str) -> dict[str, int]:
        """Where the aliases of a model stand; empty when it has none."""
        return dict(aliases.read(self._store, checked_name(name, "model"))[0].aliases)

    def history(self, name: str) -> list[Move]:
        """Every move of a model's aliases, oldest first.

        Raises:
            NotFoundError: when there is no such model.
        """
        self._require_model(name)
        return list(aliases.read(self._store, name)[0].history)

    def listing(self) -> list[dict[str, Any]]:
        """One row a version, for people and JSON: the version's own fields, its aliases and metrics."""
        rows = []
        for model in self.models():
            for version in self.versions(model.name):
                standing = sorted(a for a, number in model.aliases.items() if number == version.version)
                row = {k: v for k, v in asdict(version).items() if k not in ("decisions", "evaluation")}
                rows.append(
                    {**row, "aliases": standing, "metrics": dict(version.evaluation.get("metrics", {}))}
                )
        return rows

    def _require_model(self, name: str) -> tuple[int, ...]:
        committed, _ = versions.numbers(self._store, checked_name(name, "model"))
        if not committed:
            there = [model.name for model in self.models()]
            raise unknown("model", name, there, f"the registry {self.uri}", "Run the train pipeline first.")
        return committed
