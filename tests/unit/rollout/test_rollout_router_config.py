"""From a plan to Envoy's configuration: what is refused, what follows, and that the real Envoy takes it."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.errors import InputError
from evergreen.rollout.plan import RoutePlan, Target
from evergreen.rollout.router.bootstrap import Files, bootstrap
from evergreen.rollout.router.checks import check, endpoint
from evergreen.rollout.router.config import clusters_version, config, discovery
from evergreen.rollout.router.envoy import find_envoy

PLAN = RoutePlan(
    "demo", "demo-2-abc", 7, Target(1, ("10.0.0.1:80", "10.0.0.2:80")), Target(2, ("cand.ns.svc:80",)),
    share=20.0, salt="s",
)  # fmt: skip


def table(plan, **more):
    return config(plan, **more).routes["virtual_hosts"][0]["routes"]


def counted(plan, **more):
    return [r for r in table(plan, **more) if "weighted_clusters" in r.get("route", {})]


def weights(route) -> list[tuple[str, int]]:
    return [(c["name"], c["weight"]) for c in route["route"]["weighted_clusters"]["clusters"]]


@pytest.mark.parametrize(
    "changes, place",
    [
        ({"model": ""}, "plan.model"),
        ({"generation": 0}, "plan.generation"),
        ({"share": 101.0}, "plan.share"),
        ({"share": float("nan")}, "plan.share"),
        ({"mirror": -1.0}, "plan.mirror"),
        ({"candidate": None}, "plan.share"),
        ({"candidate": None, "share": 0.0, "mirror": 5.0}, "plan.mirror"),
        ({"baseline": Target(1, ())}, "plan.baseline.endpoints"),
        ({"baseline": Target(1, ("a:1", "a:1"))}, "plan.baseline.endpoints"),
        ({"baseline": Target(-1, ("a:1",))}, "plan.baseline.version"),
        ({"candidate": Target(2, ("a:1", "nowhere"))}, r"plan.candidate.endpoints\[1\]"),
        ({"timeout": 0.0}, "plan.timeout"),
        ({"window": float("inf")}, "plan.window"),
        ({"dead_man": -1.0}, "plan.dead_man"),
        ({"user_header": "x-evergreen-arm"}, "plan.user_header"),
        ({"user_header": ":path"}, "plan.user_header"),
        ({"user_header": "X-User"}, "plan.user_header"),
    ],
)
def test_a_bad_plan_is_refused_by_field(changes, place):
    with pytest.raises(InputError, match=place):
        config(replace(PLAN, **changes))


@pytest.mark.parametrize(
    "text, host, port, numeric",
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("[::1]:1", "::1", 1, True),
        ("model-2.ns.svc.cluster.local:80", "model-2.ns.svc.cluster.local", 80, False),
        ("localhost:65535", "localhost", 65535, False),
    ],
)
def test_endpoints(text, host, port, numeric):
    found = endpoint(text, "x")
    assert (found.host, found.port, found.numeric) == (host, port, numeric)


@pytest.mark.parametrize(
    "text",
    ["", "host", "host:", ":80", "host:0", "host:65536", "::1:80", "[::1%1]:80", "a b:1", "h:1e3", "h:²"],
)
def test_bad_endpoints(text):
    with pytest.raises(InputError, match="host:port"):
        endpoint(text, "plan.baseline.endpoints[0]")


def test_the_candidate_comes_first_so_that_ramps_nest():
    for share in (0.01, 5.0, 20.0, 99.99):
        for route in counted(replace(PLAN, share=share)):
            (first, weight), (second, rest) = weights(route)
            assert first == "candidate-2-over-1" and second == "baseline-1"
            assert (weight, weight + rest) == (round(share * 10_000), 1_000_000)
    assert weights(counted(replace(PLAN, share=100.0))[0]) == [("candidate-2-over-1", 1_000_000)]
    assert weights(counted(replace(PLAN, share=0.0))[0]) == [("baseline-1", 1_000_000)]


def test_the_dead_mans_routes_show_nobody_the_candidate_and_count_for_no_rollout():
    for route in counted(replace(PLAN, mirror=50.0), safe=True):
        assert weights(route) == [("baseline-1", 1_000_000)]
        assert "request_mirror_policies" not in route["route"]
        mark = route["metadata"]["filter_metadata"]["evergreen"]
        assert (mark["rollout"], mark["generation"]) == ("", 7)


def test_only_a_rollout_that_users_see_limits_the_time_of_a_try():
    for share, live in ((0.0, False), (20.0, True)):
        for route in counted(replace(PLAN, share=share)):
            assert ("per_try_timeout" in route["route"]["retry_policy"]) is live
            assert ("hedge_policy" in route["route"]) is live


def test_copies_are_drawn_by_route_and_marked():
    routes = counted(replace(PLAN, share=0.0, mirror=12.5))
    copied = [r for r in routes if "request_mirror_policies" in r["route"]]
    assert len(copied) == 2 and len(routes) == 4 and routes[:2] == copied
    for route in routes:
        is_copied = route in copied
        assert route["metadata"]["filter_metadata"]["evergreen"]["copied"] is is_copied
        assert ("runtime_fraction" in route["match"]) is is_copied
    fraction = copied[0]["match"]["runtime_fraction"]["default_value"]
    assert fraction == {"numerator": 125_000, "denominator": "MILLION"}


def test_versions_name_their_content():
    same, other = config(PLAN), config(replace(PLAN, share=21.0))
    assert config(PLAN).version == same.version and same.version.startswith("g7-")
    assert other.version != same.version and other.digests == same.digests
    assert config(PLAN, safe=True).version.startswith("g7-dead-man-")
    moved = config(replace(PLAN, candidate=Target(2, ("other:80",))))
    assert moved.digests["baseline-1"] == same.digests["baseline-1"]
    assert moved.digests["candidate-2"] != same.digests["candidate-2"]
    assert clusters_version(moved.clusters) != clusters_version(same.clusters)
    assert config(None).clusters == {} and json.loads(discovery([], "v"))["version_info"] == "v"


def test_names_use_dns_and_addresses_do_not():
    found = config(PLAN).clusters
    assert {n: c.get("type") for n, c in found.items()} == {
        "baseline-1": "STATIC", "candidate-2": "STRICT_DNS", "candidate-2-over-1": None,
        "shadow-2": "STRICT_DNS",
    }  # fmt: skip


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,5}){0,2}", fullmatch=True)
PLACES = st.one_of(
    st.builds(lambda ip, p: f"{ip}:{p}", st.ip_addresses(v=4), st.integers(1, 65535)),
    st.builds(lambda ip, p: f"[{ip}]:{p}", st.ip_addresses(v=6), st.integers(1, 65535)),
    st.builds(lambda n, p: f"{n}:{p}", NAMES, st.integers(1, 65535)),
)
SERVERS = st.lists(PLACES, min_size=1, max_size=3, unique=True).map(tuple)
SECONDS = st.floats(0.001, 1e6)
SALTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"))
PLANS = st.builds(
    RoutePlan,
    model=st.text(min_size=1), rollout=st.text(), generation=st.integers(1, 2**53),
    baseline=st.builds(Target, st.integers(0, 10**9), SERVERS),
    candidate=st.builds(Target, st.integers(0, 10**9), SERVERS),
    share=st.floats(0, 100), mirror=st.floats(0, 100), salt=SALTS,
    user_header=st.from_regex(r"u-[a-z0-9][a-z0-9-]{0,40}", fullmatch=True),
    slo=SECONDS, window=SECONDS, timeout=SECONDS, dead_man=st.floats(0, 1e6),
)  # fmt: skip


def inlined(plan: RoutePlan, folder: Path) -> str:
    """The whole configuration in one file: `--mode validate` reads no other one."""
    found, files = config(plan), Files(folder)
    whole = bootstrap(endpoint("127.0.0.1:1", ""), endpoint("127.0.0.1:2", ""), files, folder / "a.log", "r")
    del whole["dynamic_resources"]
    clusters = [{k: v for k, v in c.items() if k != "@type"} for c in found.clusters.values()]
    whole["static_resources"]["clusters"] = clusters
    manager = whole["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    del manager["rds"]
    manager["route_config"] = {k: v for k, v in found.routes.items() if k != "@type"}
    return json.dumps(whole)


@pytest.mark.parametrize("salt", ["a\nb", "\r", "\0"])
def test_a_salt_that_envoy_refuses_is_refused_by_its_field(salt):
    with pytest.raises(InputError, match=r"plan\.salt"):
        check(replace(PLAN, salt=salt))


@pytest.mark.slow
@given(PLANS)
@settings(max_examples=8)
def test_envoy_takes_the_configuration_of_any_plan(tmp_path_factory, plan):
    folder = tmp_path_factory.mktemp("envoy")
    file = folder / "envoy.json"
    file.write_text(inlined(plan, folder))
    command = [str(find_envoy()), "--mode", "validate", "-c", str(file), "-l", "error"]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stderr


def test_an_envoy_that_is_none_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match="is not a program"):
        find_envoy(str(tmp_path / "envoy"))
