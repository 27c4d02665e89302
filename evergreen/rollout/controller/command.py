"""The controller's command line: what it is made of, by URIs."""

import argparse
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from evergreen import log
from evergreen.errors import EvergreenError, InputError
from evergreen.rollout.controller.errands import Errands
from evergreen.rollout.controller.links import Router
from evergreen.rollout.controller.loop import Controller, Parts
from evergreen.rollout.controller.sources import Reader, Sources
from evergreen.rollout.fleet import Fleet
from evergreen.rollout.lease import FileLease, KubeLease, Lease
from evergreen.rollout.router.token import find_token
from evergreen.rollout.seen import Timing
from evergreen.rollout.stores.interface import StateStore
from evergreen.rollout.stores.places import SCHEME, default_state, open_state
from evergreen.stopping import stop_on_signals
from evergreen.storage import Store

_log = log.get(__name__)
_LEASE = "evergreen-rollout-controller"
_ROUTER_TIMEOUT = 1.0
_RESOLVE_SECONDS = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the controller until SIGTERM or SIGINT; returns the exit code."""
    given = _parser().parse_args(arguments)
    log.configure()
    stop = stop_on_signals()
    try:
        controller = assembled(given)
        page = controller.page.serve(given.host, given.port) if given.port is not None else None
        extra = {"state": given.state, "page": page.server_address[1] if page else None}
        _log.info("controller started", extra=extra)
        controller.run(stop)
        if page:
            page.shutdown()
    except EvergreenError as error:
        print(str(error), file=sys.stderr, flush=True)
        return error.exit_code
    _log.info("controller stopped")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evergreen.rollout.controller", description="Takes candidates to their users, or back."
    )
    parser.add_argument("--state", default="", help="folder, s3://…, gs://… or configmap://NAMESPACE")
    parser.add_argument("--store", required=True, help="root of registry, prediction log and decisions")
    parser.add_argument("--fleet", required=True, help="local:FOLDER or kube:NAMESPACE: who runs the servers")
    parser.add_argument(
        "--router", action="append", default=[], metavar="MODEL=URL",
        help="a router's agent, http://HOST:PORT; dns://HOST:PORT for one at every address; may repeat",
    )  # fmt: skip
    parser.add_argument("--cache", type=Path, default=None, help="folder for what is read from the store")
    parser.add_argument("--holder", default="", help="this controller's name; default: host and a number")
    parser.add_argument("--lease", type=float, default=10.0, help="seconds until another one may take over")
    parser.add_argument("--drain", type=float, default=Timing.drain, help="seconds until old servers go")
    parser.add_argument(
        "--start-within", type=float, default=Timing.start_within, help="for servers; seconds"
    )
    parser.add_argument("--host", default="127.0.0.1", help="of /metrics")
    parser.add_argument("--port", type=int, default=None, help="of /metrics and /healthz; default: none")
    return parser


def assembled(given: argparse.Namespace) -> Controller:
    """The controller that the command line describes.

    Raises:
        InputError: something cannot be: an unknown fleet, a router without a model, a store that refuses.
    """
    from evergreen.registry import Registry
    from evergreen.rollout.judge import judge
    from evergreen.rollout.prometheus import query
    from evergreen.storage import open_store

    given.state = default_state(given.state)
    holder = given.holder or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
    store, states = open_store(given.store), open_state(given.state)
    cache = given.cache or Path(tempfile.gettempdir()) / f"evergreen-rollout-{os.getuid()}"
    sources = Sources(
        Registry(store), open_fleet(given.fleet), partial(_reader, store, cache), judge, query, store
    )
    routers = _routers(given.router)
    return Controller(
        Parts(
            states, sources, routers_of(routers), tuple(routers), holder,
            lease_for(states, holder, given.lease),
            timing=Timing(drain=given.drain, start_within=given.start_within),
        )
    )  # fmt: skip


def open_fleet(name: str) -> Fleet:
    """The fleet that `local:FOLDER` or `kube:NAMESPACE` names.

    Raises:
        InputError: it names none.
    """
    kind, _, place = name.partition(":")
    if kind == "local" and place:
        from evergreen.rollout.fleets.local import LocalFleet

        return LocalFleet(Path(place))
    if kind == "kube":
        from evergreen.rollout.fleets.kube import KubeFleet

        return KubeFleet(place)
    raise InputError(f"--fleet {name!r}", "names no fleet", "local:FOLDER or kube:NAMESPACE")


def lease_for(states: StateStore, holder: str, seconds: float) -> Lease | None:
    """The lease that lies beside the records; none beside a bucket: there compare-and-swap alone decides."""
    if states.uri.startswith(SCHEME):
        return KubeLease(_LEASE, states.uri.removeprefix(SCHEME), holder, seconds)
    if states.uri.startswith("/"):
        return FileLease(Path(states.uri) / ".lease", holder, seconds)
    return None


def _routers(given: Sequence[str]) -> dict[str, tuple[str, ...]]:
    routers: dict[str, tuple[str, ...]] = {}
    for text in given:
        model, equals, url = text.partition("=")
        if not equals or not model or not url.startswith(("http://", "dns://")):
            raise InputError(f"--router {text!r}", "names no router", "MODEL=http://HOST:PORT")
        routers[model] = (*routers.get(model, ()), url)
    return routers


def routers_of(routers: Mapping[str, Sequence[str]]) -> Callable[[str], Mapping[str, Router]]:
    """Finds the routers of a model: the named ones, and one at every address that a `dns://` name has now."""
    from evergreen.rollout.router.client import RouterClient

    token = find_token()
    clients: dict[str, Any] = {}
    last: dict[str, tuple[str, ...]] = {}
    errands = Errands(2)

    def addresses(url: str) -> tuple[str, ...]:
        if not url.startswith("dns://"):
            return (url,)
        answer = errands.ask(("dns", url), partial(resolved, url), _RESOLVE_SECONDS)
        if answer and answer.value:  # after a failure the routers of the last answer are the best guess
            last[url] = answer.value
        return last.get(url, ())

    def find(model: str) -> Mapping[str, Router]:
        found = [address for url in routers.get(model, ()) for address in addresses(url)]
        for address in found:
            if address not in clients:
                clients[address] = RouterClient(address, _ROUTER_TIMEOUT, token)
        return {address: clients[address] for address in found}

    return find


def resolved(url: str) -> tuple[str, ...]:
    """`http://ADDRESS:PORT` for every address that the host of `dns://HOST:PORT` has.

    Raises:
        OSError: the name is not known, or nobody answers.
    """
    host, _, port = url.removeprefix("dns://").partition(":")
    rows = socket.getaddrinfo(host, int(port or 80), type=socket.SOCK_STREAM)
    hosts = sorted({str(row[4][0]) for row in rows})
    return tuple(f"http://[{h}]:{port or 80}" if ":" in h else f"http://{h}:{port or 80}" for h in hosts)


def _reader(store: Store, cache: Path, model: str) -> Reader:
    from evergreen.rollout.users import UserReader

    return UserReader(store, model, cache / model)
