"""A platform with two routers and two servers of the baseline, whose parts tests kill."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from chaos_bundles import ROW, SILENT, Kind, make_bundle
from chaos_load import Load
from server_processes import gone, until

from evergreen.decisions import Decision
from evergreen.errors import EvergreenError
from evergreen.local import platform
from evergreen.local.routing import Wish
from evergreen.local.state import Folder
from evergreen.project.model import Rollout, Serving
from evergreen.registry import Registry
from evergreen.rollout import commands
from evergreen.rollout.evidence import Bucket
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.router.client import RouterClient
from evergreen.rollout.stores.local import LocalStates
from evergreen.rollout.tally import stage_at
from evergreen.storage import open_store
from evergreen.threads import thread_limits

T = TypeVar("T")
SAID = [Decision("model", "roc_auc min", "pass", "it is good enough")]
SERVING = {
    "replicas": 2, "unknown_columns": "ignore", "empty_outputs": [SILENT], "log": {"rotate": "200ms"},
}  # fmt: skip
QUIET: dict[str, Any] = {
    "missing_inputs": {"reaction": "off"}, "latency": {"reaction": "off"}, "outputs": {"reaction": "off"},
}  # fmt: skip
"""Only errors and empty outputs decide: machines that tests run on stall."""
LONG = {"kind": "canary", "share": 50, "at_least": "10m"}


def settings(*stages: dict[str, Any], **fields: Any) -> Rollout:
    """A rollout section; `guardrails` are added to QUIET."""
    guardrails = {**QUIET, **fields.pop("guardrails", {})}
    basics = {"soak": "1s", "interval": "200ms", "dead_man": "20s"}
    return Rollout.model_validate(
        {**basics, **fields, "stages": list(stages) or [LONG], "guardrails": guardrails}
    )


@dataclass
class World:
    """The platform and what tests do with it.

    Attributes:
        home: Where it keeps everything.
        folder: For the tests' own files.
    """

    home: Path
    folder: Path
    count: int = 0
    stopped: set[int] = field(default_factory=set)

    def open(self) -> None:
        """Bring it up for the first time, with version 1 as the baseline."""
        platform.up(self.home, s3_port=0)
        os.environ.update(platform.environment(self.home))
        self.registry.move("demo", "baseline", self.push("good"), why="a test")
        project = self.folder / "project.yaml"
        example = Path(__file__).parents[2] / "examples" / "coupons" / "project.yaml"
        text = example.read_text().split("\nserving:")[0].split("\nrollout:")[0]
        project.write_text(f"{text}\nserving: {json.dumps(SERVING)}\n")
        self.up()

    def up(self) -> None:
        """`evergreen up`, as it was asked for at first: what runs stays."""
        wish = Wish(port=0, routers=2, project=self.folder / "project.yaml", drain=1.0)
        platform.up(self.home, s3_port=0, model="demo@baseline", router=wish)
        os.environ.update(platform.environment(self.home))

    def settled(self) -> "World":
        """Everything up, no rollout under way, and no servers but the baseline's."""
        for pid in self.stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.stopped.clear()
        self.up()
        with contextlib.suppress(EvergreenError):
            commands.order(self.states, "demo", "abort", why="the test is over")
        until(lambda: commands.status(self.states, "demo").ended)
        until(lambda: len(self.servers()) == 2 and set(self.parts.values()) == {"up"})
        return self

    @property
    def registry(self) -> Registry:
        """The platform's."""
        return Registry(open_store(platform.store_uri(self.home)))

    @property
    def states(self) -> LocalStates:
        """The records."""
        return LocalStates(self.home / "rollouts")

    @property
    def parts(self) -> dict[str, str]:
        """The state of every part."""
        return {part.name: part.state for part in platform.status(self.home)}

    @property
    def routers(self) -> list[RouterClient]:
        """The agents."""
        folder = Folder(self.home / "platform")
        token, parts = folder.credentials().token, folder.read().parts
        return [RouterClient(p.url, 5.0, token) for name, p in parts.items() if name.startswith("router")]

    @property
    def address(self) -> str:
        """Where both routers listen."""
        return platform.overview(self.home).url.removeprefix("http://")

    @property
    def baseline(self) -> str:
        """What users have now, such as `demo@1`."""
        return f"demo@{self.registry.resolve('demo@baseline').version}"

    def servers(self, version: int | str = "") -> list[str]:
        """The names of model servers, of all versions or of one."""
        return [name for name in self.parts if name.startswith(f"model server demo@{version}")]

    def push(self, kind: Kind) -> int:
        """A new version."""
        self.count += 1
        bundle = make_bundle(self.folder / f"bundle-{self.count}", kind, self.count)
        return self.registry.push("demo", bundle, decisions=SAID).version

    def begin(self, kind: Kind, rollout: Rollout, replicas: int = 1) -> RolloutRecord:
        """The rollout of a new version."""
        serving = Serving.model_validate({**SERVING, "replicas": replicas})
        version = self.push(kind)
        return commands.start(self.registry, self.states, "demo", version, settings=rollout, serving=serving)

    def record(self, id: str) -> RolloutRecord:
        """As it stands."""
        return self.states.read(id).record

    def reaches(self, id: str, stage: int = 0, seconds: float = 60.0) -> RolloutRecord:
        """Wait until every router carries out a stage."""

        def there() -> RolloutRecord | None:
            record = self.record(id)
            assert not record.ended, f"{record.phase}: {record.events[-1].reason}"
            confirmed = [g for g in record.confirmed.values() if g == record.plan.generation]
            return record if record.stage >= stage and len(confirmed) == 2 else None

        return until(there, seconds)

    def ends(self, id: str, seconds: float = 90.0) -> RolloutRecord:
        """Wait until a rollout has ended."""
        return commands.wait(self.states, id, seconds, every=0.1)

    def load(self, name: str, **more: Any) -> Load:
        """Constant load on both routers."""
        places = more.pop("places", None) or [self.address]
        assert all(places), "the platform is down"
        return Load(name, places, self.folder / f"{name.replace(' ', '-')}.jsonl", ROW, **more)

    def pid(self, name: str) -> int:
        """Of a part; `envoy 1` for a router's Envoy."""
        if name.startswith("envoy"):
            file = self.home / "platform" / "routers" / name.split()[1] / "envoy.json"
            return int(json.loads(file.read_text())["pid"])
        return Folder(self.home / "platform").read().parts[name].pid

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to a part's process; returns its pid."""
        pid = self.pid(name)
        os.kill(pid, number)
        if number == signal.SIGSTOP:
            self.stopped.add(pid)
        return pid

    def back(self, name: str, pid: int, seconds: float = 60.0) -> None:
        """Wait until a part that was killed is up again as another process."""
        part = name.replace("envoy ", "router #")
        until(lambda: self.pid(name) != pid and self.parts.get(part) == "up", seconds)

    def buckets(self, after: dict[str, int] | None = None) -> list[Bucket]:
        """What the routers counted past some numbers."""
        after = after or {}
        every = [b for r in self.routers for b in r.buckets(after.get(r.state().router, 0))]
        return [b for b in every if b.seq > after.get(b.router, 0)]

    def counted(self) -> dict[str, int]:
        """The number of each router's last bucket, once nothing more comes."""
        found: dict[str, int] = {}
        quiet = time.monotonic()
        while time.monotonic() - quiet < 1.0:
            time.sleep(0.1)
            now = {e.router: e.last for e in (r.evidence(0) for r in self.routers)}
            if now != found:
                found, quiet = now, time.monotonic()
        return found

    def requests(self, after: dict[str, int]) -> dict[str, int]:
        """Requests by arm that the routers counted past some numbers; and fallbacks."""
        self.counted()
        found = {"baseline": 0, "candidate": 0, "fallbacks": 0}
        for bucket in self.buckets(after):
            for arm, counts in bucket.arms.items():
                assert min(counts.requests, counts.fallbacks, *counts.events.values()) >= 0
                found[arm] += counts.requests
                found["fallbacks"] += counts.fallbacks
        return found

    def counted_once(self, record: RolloutRecord) -> int:
        """Assert that the record holds each bucket up to its offsets once; returns how many requests."""
        read = record.evidence.offsets
        taken = [
            b for b in self.buckets()
            if b.rollout == record.id and b.seq <= read.get(f"router/{b.router}", 0)
            and stage_at(record, b.generation) >= 0
        ]  # fmt: skip
        known = sum(a.requests for s in record.evidence.steps for a in s.arms.values())
        assert known == sum(a.requests for b in taken for a in b.arms.values())
        return known

    @contextlib.contextmanager
    def own_controllers(self) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
        """Without supervisor and controller of the platform: starts those of the test, and ends them.

        What is yielded takes a step, how often it comes until the signal is sent there (see
        `chaos_controller`), and more options of the controller.
        """
        running: list[subprocess.Popen[bytes]] = []
        for name in ("supervisor", "controller"):  # in this order: nobody starts the other one again
            pid = self.kill(name, signal.SIGTERM)
            until(lambda pid=pid: gone(pid))
        command = Folder(self.home / "platform").read().parts["controller"].command
        own = Folder(self.home / "platform").credentials()
        one = thread_limits(1)
        here = str(Path(__file__).with_name("chaos_controller.py"))

        def start(step: str, nth: int, number: int, *more: str) -> subprocess.Popen[bytes]:
            log = (self.folder / f"controller-{len(running)}.log").open("wb")
            words = [sys.executable, here, step, str(nth), str(int(number)), *command[3:], *more]
            secret = {"EVERGREEN_USER_SALT": own.salt, "EVERGREEN_ROUTER_TOKEN": own.token}
            variables = {**os.environ, **one, **secret}
            with log:
                running.append(subprocess.Popen(words, stdout=log, stderr=log, env=variables))
            return running[-1]

        try:
            yield start
        finally:
            for process in running:
                process.kill()
                process.wait()
