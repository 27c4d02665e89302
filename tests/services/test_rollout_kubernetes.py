"""ConfigMaps and Leases of a real cluster: compare-and-swap, two leaders, rights that are missing.

Set KUBECONFIG, and EVERGREEN_TEST_CLUSTER=1 to say that the cluster may be written to.
"""

import os
import sys
import threading
import time
import uuid
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from server_processes import until

if not (os.environ.get("KUBECONFIG") and os.environ.get("EVERGREEN_TEST_CLUSTER") == "1"):
    pytest.skip("no cluster: set KUBECONFIG and EVERGREEN_TEST_CLUSTER=1", allow_module_level=True)
if find_spec("kubernetes") is None:
    pytest.skip("the Kubernetes client is not installed (extra `pipeline`)", allow_module_level=True)

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit" / "rollout"))

from rollout_world import BACK, GO, NOW, World, record, settings

from evergreen.errors import ConflictError, NotFoundError, StorageError
from evergreen.project.model import Serving
from evergreen.rollout import commands, kube
from evergreen.rollout.chronicle import noted
from evergreen.rollout.lease import KubeLease
from evergreen.rollout.stores import open_state
from evergreen.rollout.stores.configmap import ConfigMapStates

pytestmark = [pytest.mark.service, pytest.mark.slow]


@pytest.fixture(scope="module")
def namespace():
    api = kube.client()
    core, name = api.CoreV1Api(), f"evergreen-test-{uuid.uuid4().hex[:8]}"
    core.create_namespace(api.V1Namespace(metadata=api.V1ObjectMeta(name=name)))
    yield name
    core.delete_namespace(name)


@pytest.fixture
def states(namespace):
    states = open_state(f"configmap://{namespace}")
    yield states
    for kept in states.list():
        states.remove(kept.record.id)


def test_one_winner_and_a_whole_record(states):
    kept = record()
    tag = states.write_if(kept, None)
    assert states.read(kept.id) == (kept, tag)
    with pytest.raises(ConflictError):
        states.write_if(kept, None)
    new = states.write_if(replace(kept, holder="a"), tag)
    with pytest.raises(ConflictError):
        states.write_if(replace(kept, holder="b"), tag)
    assert states.read(kept.id) == (replace(kept, holder="a"), new)
    states.remove(kept.id)
    states.remove(kept.id)
    with pytest.raises(NotFoundError):
        states.read(kept.id)
    with pytest.raises(ConflictError):  # it was deleted meanwhile
        states.write_if(kept, new)


def test_labels_select_on_the_server(states, monkeypatch):
    monkeypatch.setattr("evergreen.rollout.stores.configmap._PAGE", 2)
    done = replace(record(), id="shop-2-aaaaaa", settled=True, replaced="shop-3-bbbbbb")
    odd = replace(record(), id="my_shop_-2-cccccc", model="my_shop_", created=NOW + 5)
    many = [replace(record(), id=f"shop-{n}-dddddd", created=NOW + n) for n in range(3, 8)]
    for each in (done, odd, *many):
        states.write_if(each, None)
    assert len(states.list()) == 7 and len(states.list(closed=False)) == 6  # through several pages
    assert [k.record.id for k in states.list("my_shop_")] == [odd.id]
    assert states.read(odd.id).record == odd and states.current("shop").record.id == "shop-7-dddddd"


def test_many_writers_lose_nothing(states):
    kept = replace(record(), decided=0)
    states.write_if(kept, None)

    def count() -> None:
        for _ in range(5):
            while True:
                now = states.read(kept.id)
                try:
                    states.write_if(replace(now.record, decided=now.record.decided + 1), now.tag)
                    break
                except ConflictError:
                    continue

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states.read(kept.id).record.decided == 20


def test_a_long_record_is_cut_to_what_a_configmap_holds(states):
    long = record()
    for number in range(200):
        long = noted(long, NOW + number, "verdict hold", "x" * 8000)
    tag = states.write_if(long, None)
    back = states.read(long.id).record
    assert back.events[-1] == long.events[-1] and len(back.events) < 200
    states.write_if(replace(back, holder="x"), tag)


@pytest.mark.parametrize("verdict,phase", [(GO, "launched"), (BACK, "rolled_back")])
def test_a_rollout_with_its_records_in_the_cluster(states, tmp_path, verdict, phase):
    world = World(tmp_path)
    world.states = states
    one, two = (world.controller(holder=n) for n in ("one", "two"))
    world.verdict = GO
    rollout = settings("shadow", 50, 100, soak="1s")
    id = commands.start(
        world.registry, states, "shop", 2, settings=rollout, serving=Serving(), clock=world.clock
    ).id
    world.looks(one, 2)
    stale = states.list(closed=False)
    world.looks(two, 1)
    with pytest.raises(ConflictError):
        one._pass("shop", list(stale))
    world.verdict = verdict
    for _ in range(30):
        if states.read(id).record.ended:
            break
        world.looks(one), world.looks(two)
    ended = states.read(id).record
    assert ended.phase == phase
    for router in world.routers.values():
        generations = [g for g, _ in router.shares]
        assert generations == sorted(set(generations))


def test_one_leads_and_another_takes_over(namespace):
    one, two = (KubeLease("leader", namespace, name, 3.0) for name in ("one", "two"))
    assert one.attempt() and not two.attempt()
    assert one.attempt()  # renewed
    assert not two.attempt()
    until(two.attempt, every=0.1)  # the first one is silent
    assert not one.attempt()
    two._until = time.monotonic() + 60  # it still leads when it gives up, however long that took
    two.release()
    assert one.attempt()  # at once


def test_a_lease_keeps_itself(namespace):
    lease = KubeLease("kept", namespace, "one", 3.0)
    until(lease.held)
    first = lease._until
    until(lambda: lease._until > first + 3 and lease.held())  # longer than it lasts: the thread renews it
    lease.release()
    assert not lease.held() and KubeLease("kept", namespace, "two", 3.0).attempt()


def test_refusals_say_what_to_do(namespace):
    api = kube.client()
    core = api.CoreV1Api()
    core.create_namespaced_service_account(
        namespace, api.V1ServiceAccount(metadata=api.V1ObjectMeta(name="nobody"))
    )
    token = core.create_namespaced_service_account_token(
        "nobody", namespace, api.AuthenticationV1TokenRequest(spec=api.V1TokenRequestSpec(audiences=[]))
    ).status.token
    configuration = api.Configuration.get_default_copy()
    configuration.refresh_api_key_hook = None  # it would put the administrator's token back
    configuration.api_key = {"authorization": f"Bearer {token}"}
    states = ConfigMapStates(namespace)
    states._api = api.CoreV1Api(api.ApiClient(configuration))
    with pytest.raises(StorageError, match=r"403.*role.*manifests"):
        states.list()
    configuration.host = "https://127.0.0.1:1"
    configuration.retries = False
    states._api = api.CoreV1Api(api.ApiClient(configuration))
    with pytest.raises(StorageError, match="cannot be reached"):
        states.read(record().id)
