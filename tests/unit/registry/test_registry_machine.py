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


class RegistryMachine(RuleBasedStateMachine):
    """`pushed` holds (content, blessed) of version 1, 2, …; `standing` the aliases."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.registry = Registry(LocalStore(self.folder / "store"))
        self.pushed: list[tuple[str, bool]] = []
        self.standing: dict[str, int] = {}
        self.moves = 0
        for content in "ab":
            self.push(content, True)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(content=CONTENTS, blessed=st.sampled_from([True, True, False]))
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

    @rule(alias=ALIASES, pick=st.integers(0, 9))
    def move(self, alias: str, pick: int) -> None:
        version = pick % len(self.pushed) + 1
        if alias == "baseline" and not self.pushed[version - 1][1]:
            with pytest.raises(InputError):
                self.registry.move("m", alias, version, why="test")
            return
        before = self.standing.get(alias, 0)
        made = self.registry.move("m", alias, version, why="test", expected=before if pick % 2 else None)
        self.moves += len(made)
        assert bool(made) == (before != version)
        self.standing[alias] = version
        if alias == "baseline" and before and made:
            self.standing["previous"] = before

    @rule(alias=ALIASES, wrong=st.integers(0, 9))
    def move_from_elsewhere(self, alias: str, wrong: int) -> None:
        before = self.standing.get(alias, 0)
        blessed = [i for i, (_, good) in enumerate(self.pushed, 1) if good and i != before]
        if wrong != before and blessed:
            with pytest.raises(ConflictError):
                self.registry.move("m", alias, blessed[wrong % len(blessed)], why="test", expected=wrong)

    @rule(alias=ALIASES)
    def move_to_nowhere(self, alias: str) -> None:
        with pytest.raises(NotFoundError):
            self.registry.move("m", alias, len(self.pushed) + 1, why="test")

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


RegistryMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
TestRegistryMachine = pytest.mark.slow(RegistryMachine.TestCase)
