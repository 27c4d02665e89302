"""Who leads: of several controllers one acts, the others stand by.

The lease keeps two from working against each other most of the time. It is not what makes two at once safe:
that is the compare-and-swap of the records, and the generation that routers check.
"""

import fcntl
import json
import os
import socket
import threading
import time
from abc import abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from evergreen import log
from evergreen.errors import ConflictError, EvergreenError, NotFoundError
from evergreen.files import explained
from evergreen.local.process import birth
from evergreen.rollout import kube

_log = log.get(__name__)


class Lease(Protocol):
    """The right to act, for a while."""

    @abstractmethod
    def held(self) -> bool:
        """Whether this holder leads now; takes or renews the lease when it can, and never waits long."""

    @abstractmethod
    def release(self) -> None:
        """Give it up, so that another one need not wait until it runs out."""


class FileLease(Lease):
    """A lease in a file of one machine; a holder whose process has died loses it at once.

    Args:
        path: The file.
        holder: Who asks.
        seconds: How long it lasts without being renewed.
        clock: Seconds since 1970.
    """

    def __init__(
        self, path: Path, holder: str, seconds: float = 10.0, clock: Callable[[], float] = time.time
    ) -> None:
        self._path, self._seconds, self._clock = Path(path).absolute(), seconds, clock
        pid = os.getpid()
        self._me = {"holder": holder, "host": socket.gethostname(), "pid": pid, "born": birth(pid)}
        self._renewed = -seconds

    def held(self) -> bool:
        """Whether the file names us; written anew after a third of its time."""
        now = self._clock()
        if 0 <= now - self._renewed < self._seconds / 3:
            return True
        with explained(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a+", encoding="utf-8") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)
                if not self._free(_parsed(handle), now):
                    return False
                _rewrite(handle, {**self._me, "until": now + self._seconds})
        self._renewed = now
        return True

    def release(self) -> None:
        """Empty the file if it names us."""
        self._renewed = -self._seconds
        if self._path.is_file():
            with explained(self._path), self._path.open("a+", encoding="utf-8") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)
                if self._mine(_parsed(handle)):
                    _rewrite(handle, {})

    def _mine(self, lease: dict[str, Any]) -> bool:
        return all(lease.get(key) == value for key, value in self._me.items())

    def _free(self, lease: dict[str, Any], now: float) -> bool:
        if not lease or self._mine(lease) or not now < lease.get("until", 0.0) <= now + 2 * self._seconds:
            return True
        here = lease.get("host") == self._me["host"]
        return here and birth(int(lease.get("pid", 0))) != lease.get("born")


def _parsed(handle: Any) -> dict[str, Any]:
    handle.seek(0)
    try:
        lease = json.loads(handle.read() or "{}")
    except ValueError:  # written halfway when its holder died
        return {}
    return lease if isinstance(lease, dict) else {}


def _rewrite(handle: Any, lease: dict[str, Any]) -> None:
    handle.seek(0)
    handle.truncate()
    handle.write(json.dumps(lease))
    handle.flush()


class KubeLease(Lease):
    """A `coordination.k8s.io` Lease, renewed by a thread, as client-go's leader election does it.

    A holder counts as gone when its lease has not changed for its whole time by our own clock, so that clocks
    of nodes need not agree.

    Args:
        name: Of the Lease.
        namespace: Its namespace; empty for the pod's own.
        holder: Who asks; different for each pod.
        seconds: How long it lasts without being renewed.
    """

    def __init__(self, name: str, namespace: str, holder: str, seconds: float = 15.0) -> None:
        api = kube.client()
        self._api, self._name, self._holder, self._seconds = api.CoordinationV1Api(), name, holder, seconds
        self._namespace = namespace or kube.own_namespace()
        self._until = 0.0
        self._observed: tuple[str, float] = ("", 0.0)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def held(self) -> bool:
        """Whether the lease was ours, and not run out, when the thread last looked."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
            self._thread.start()
        return time.monotonic() < self._until

    def release(self) -> None:
        """Stop the thread, and name nobody in the Lease if it names us."""
        self._stop.set()
        if self._thread:
            self._thread.join(2 * kube.TIMEOUT)
        mine, self._until = time.monotonic() < self._until, 0.0
        if mine:
            try:
                lease = self._read()
                if lease.spec.holder_identity == self._holder:
                    lease.spec.holder_identity = ""
                    self._replace(lease)
            except EvergreenError as error:
                _log.warning("lease not released", extra={"error": str(error)})

    def attempt(self) -> bool:
        """Take the lease, or renew it; whether it is ours now.

        Raises:
            StorageError: the cluster's API refuses or cannot be reached.
        """
        asked = time.monotonic()  # from before the request: the lease never seems longer than it is
        try:
            try:
                lease = self._read()
            except NotFoundError:
                self._create()
            else:
                if not self._free(lease):
                    return False
                self._take(lease)
        except ConflictError:
            return False
        self._until = asked + self._seconds
        return True

    def _keep(self) -> None:
        while not self._stop.is_set():
            try:
                self.attempt()
            except EvergreenError as error:
                _log.warning("lease not renewed", extra={"error": str(error)})
            except Exception:  # noqa: BLE001 - the thread must try again
                _log.exception("lease not renewed")
            self._stop.wait(self._seconds / 5)

    def _free(self, lease: Any) -> bool:
        holder = lease.spec.holder_identity or ""
        version = lease.metadata.resource_version
        if version != self._observed[0]:
            self._observed = (version, time.monotonic())
        lasts = float(lease.spec.lease_duration_seconds or self._seconds)
        return holder in ("", self._holder) or time.monotonic() - self._observed[1] > lasts

    def _take(self, lease: Any) -> None:
        now = datetime.now(UTC)
        spec = lease.spec
        if spec.holder_identity != self._holder:
            spec.acquire_time, spec.lease_transitions = now, (spec.lease_transitions or 0) + 1
        spec.holder_identity, spec.renew_time = self._holder, now
        spec.lease_duration_seconds = max(1, round(self._seconds))
        self._replace(lease)

    def _read(self) -> Any:
        with kube.answered(f"Lease {self._name}", self._namespace):
            return self._api.read_namespaced_lease(
                self._name, self._namespace, _request_timeout=kube.TIMEOUT
            )  # fmt: skip

    def _replace(self, lease: Any) -> None:
        with kube.answered(f"Lease {self._name}", self._namespace):
            self._api.replace_namespaced_lease(
                self._name, self._namespace, lease, _request_timeout=kube.TIMEOUT
            )

    def _create(self) -> None:
        api, now = kube.client(), datetime.now(UTC)
        spec = api.V1LeaseSpec(
            holder_identity=self._holder, acquire_time=now, renew_time=now, lease_transitions=0,
            lease_duration_seconds=max(1, round(self._seconds)),
        )  # fmt: skip
        body = api.V1Lease(metadata=api.V1ObjectMeta(name=self._name), spec=spec)
        with kube.answered(f"Lease {self._name}", self._namespace):
            self._api.create_namespaced_lease(self._namespace, body, _request_timeout=kube.TIMEOUT)
