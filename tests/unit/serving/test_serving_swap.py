import asyncio
import gc
import weakref

import pytest
from asking import Asker, app_of

from evergreen.bundle import load_bundle
from evergreen.errors import BundleError, InputError, StorageError
from evergreen.registry import Registry
from evergreen.serving.model import ServedModel
from evergreen.serving.settings import Policy
from evergreen.serving.swap import Follower, Source, registry_source
from evergreen.storage import open_store


class Versions:
    """An alias that can be moved, and versions some of which cannot be loaded."""

    def __init__(self, folder) -> None:
        self.folder, self.at, self.broken, self.loads = folder, 3, set(), []

    def current(self) -> int:
        if self.at < 0:
            raise StorageError("s3://store", "not reachable")
        return self.at

    def load(self, version: int) -> ServedModel:
        self.loads.append(version)
        if version in self.broken:
            raise BundleError("model.onnx", "changed")
        return ServedModel("demo", version, load_bundle(self.folder, threads=1), 10)


@pytest.fixture()
def following(bundles):
    versions = Versions(bundles["binary"])
    app = app_of(bundles["binary"])
    return app, versions, Follower(app, Source(versions.current, versions.load), 0.01)


def swaps(app):
    counted = Asker(app).metrics()
    return {r: counted.get(f'evergreen_model_swaps_total{{model_name="demo",result="{r}"}}', 0)
            for r in ("swapped", "failed")}  # fmt: skip


def test_a_moved_alias_swaps_and_the_old_version_is_freed(following):
    app, versions, follower = following
    old = weakref.ref(app.model)

    async def steps():
        assert not await follower.check()
        versions.at = 4
        assert await follower.check()
        assert not await follower.check()

    asyncio.run(steps())
    assert app.model.identity.version == "4" and versions.loads == [4]
    gc.collect()
    assert old() is None, "nobody holds the old version any more"
    assert swaps(app) == {"swapped": 1, "failed": 0}


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_and_is_not_tried_in_a_loop(following, caplog):
    app, versions, follower = following
    versions.at, versions.broken = 4, {4}

    async def steps():
        for _ in range(5):
            assert not await follower.check()
        assert versions.loads == [4]
        versions.at = 5  # another version is tried at once
        assert await follower.check()
        versions.at = 4
        assert not await follower.check()
        versions.broken.clear()
        assert not await follower.check(), "its time has not come"
        follower.look_now()
        assert await follower.check()

    with caplog.at_level("INFO", logger="evergreen"):
        asyncio.run(steps())
    assert versions.loads == [4, 5, 4, 4] and app.model.identity.version == "4"
    assert swaps(app) == {"swapped": 2, "failed": 2}
    (first, _) = [r for r in caplog.records if r.getMessage() == "version not loaded; the old one serves on"]
    assert (first.version, first.error) == (4, "model.onnx: changed")


def test_an_alias_that_cannot_be_seen_changes_nothing_and_is_logged_once(following, caplog):
    app, versions, follower = following

    async def steps():
        for at in (-1, -1, 0, -1):
            versions.at = at
            assert not await follower.check()

    with caplog.at_level("WARNING", logger="evergreen"):
        asyncio.run(steps())
    assert app.model.identity.version == "3"
    told = [r.getMessage() for r in caplog.records if r.name == "evergreen.serving.swap"]
    assert told == ["registry cannot be read"] * 2


def test_it_follows_by_itself_and_at_once_when_asked(following):
    app, versions, follower = following

    async def until(version: str):
        async with asyncio.timeout(60):
            while app.model.identity.version != version:
                await asyncio.sleep(0.005)

    async def steps():
        task = asyncio.create_task(follower.run())
        versions.at = 6
        await until("6")
        task.cancel()
        asked = Follower(app, Source(versions.current, versions.load), None)
        task = asyncio.create_task(asked.run())
        versions.at = 7
        await asyncio.sleep(0.05)
        assert app.model.identity.version == "6"
        asked.look_now()
        await until("7")
        task.cancel()

    asyncio.run(steps())


def test_a_registry_is_a_source(bundles, tmp_path):
    store = f"file://{tmp_path}/store"
    registry = Registry(open_store(store))
    first = registry.push("demo", bundles["binary"], decisions=(), allow_unblessed=True)
    registry.push("demo", bundles["native"], decisions=(), allow_unblessed=True)
    source = registry_source("demo@live", store, 10, Policy())
    assert source.current() == 0
    registry.move("demo", "live", first.version, why="a test", allow_unblessed=True)
    assert source.current() == first.version
    assert source.load(2).identity.ref == "demo@2"
    with pytest.raises(InputError, match="a version, which never moves"):
        registry_source("demo@1", store, 10, Policy())
