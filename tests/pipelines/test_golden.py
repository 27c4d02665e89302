"""The compiled YAML equals the golden files, which only `make golden` rewrites."""

from pathlib import Path

import pytest

from tools.golden import GOLDEN, compiled

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def now() -> dict[str, str]:
    return compiled()


def test_the_same_files(now):
    assert sorted(now) == sorted(str(p.relative_to(GOLDEN)) for p in GOLDEN.rglob("*.yaml"))


@pytest.mark.parametrize("name", sorted(str(p.relative_to(GOLDEN)) for p in GOLDEN.rglob("*.yaml")))
def test_the_same_yaml(now, name):
    assert now.get(name) == Path(GOLDEN / name).read_text(), "run `make golden` and review the diff"
