"""Any sequence of pushes, moves and failures against a model of the registry in a few lines."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sample_bundle import PASSED, make_bundle

from evergreen.errors import ConflictError, InputError, NotFoundError
from evergreen.registry import Registry
from evergreen.storage.local import LocalStore

CONTENTS = st.sampled_from("abcde")
ALIASES = st.sampled_from(["baseline", "candidate", "canary"])
VERSIONS = st.integers(1, 8)


class RegistryMachine(RuleBasedStateMachine):
    """`pushed` holds (content, blessed) of version 1, 2, …; `standing` the aliases."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.registry = Registry(LocalStore(self.folder / "store"))
        self.pushed: list[tuple[str, bool]] = []
        self.standing: dict[str, int] = {}
        self.moves = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(content=CONTENTS, blessed=st.booleans())
    def push(self, content: str, blessed: bool) -> None:
        bundle = self.folder / content
        if not bundle.exists():
            make_bundle(bundle, content)
        version = self.registry.push(
            "m", bundle, decisions=PASSED if blessed else [], allow_unblessed=not blessed
        )
        if (content, blessed) not in self.pushed:
            self.pushed.append((content, blessed))
        assert version.version == self.pushed.index((content, blessed)) + 1

    @rule(alias=ALIASES, version=VERSIONS, expected=st.none() | st.integers(0, 8))
    def move(self, alias: str, version: int, expected: int | None) -> None:
        before = self.standing.get(alias, 0)
        order = {"why": "test", "expected": expected}
        if version > len(self.pushed):
            with pytest.raises(NotFoundError):
                self.registry.move("m", alias, version, **order)
        elif alias == "baseline" and not self.pushed[version - 1][1]:
            with pytest.raises(InputError):
                self.registry.move("m", alias, version, **order)
        elif before != version and expected not in (None, before):
            with pytest.raises(ConflictError):
                self.registry.move("m", alias, version, **order)
        else:
            made = self.registry.move("m", alias, version, **order)
            self.moves += len(made)
            if before == version:
                assert made == ()
                return
            self.standing[alias] = version
            if alias == "baseline" and before:
                self.standing["previous"] = before

    @invariant()
    def agrees(self) -> None:
        assert self.registry.aliases("m") == self.standing
        models = self.registry.models()
        assert [m.versions for m in models] == (
            [tuple(range(1, len(self.pushed) + 1))] if self.pushed else []
        )
        for alias, version in self.standing.items():
            assert self.registry.resolve(f"m@{alias}").version == version

    @invariant()
    def history_leads_here(self) -> None:
        if not self.pushed:
            return
        standing: dict[str, int] = {}
        history = self.registry.history("m")
        for move in history:
            assert move.previous == standing.get(move.alias, 0) != move.version
            standing[move.alias] = move.version
        assert standing == self.standing
        assert len(history) == self.moves

    @rule()
    def baseline_is_blessed_and_comes_back_whole(self) -> None:
        if "baseline" in self.standing:
            version = self.registry.fetch("m@baseline", self.folder / "out")
            assert version.blessed
            assert (self.folder / "out" / "model.skops").read_text() == self.pushed[version.version - 1][0]


RegistryMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestRegistryMachine = RegistryMachine.TestCase
