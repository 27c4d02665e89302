"""The load's answers as a test sees them: who got what from which version, and who was let down."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FIGURES: list[dict[str, Any]] = []
"""What every load of this run saw, and what tests measured; printed at the end."""


@dataclass(frozen=True)
class Answer:
    """One request.

    Attributes:
        due: When it should have left, seconds since 1970.
        began: When it left.
        ended: When its answer was there.
        user: By whom.
        id: The request id.
        status: Of the answer; 0 for none.
        model: The version that answered: `demo@2`.
        empty: Rows with an empty output.
        whole: Whether it had the feature that some requests lack.
        broken: Connections that broke under it; with the second one it has no answer.
        fault: `refused`, `broken` or `late`; of a request that was answered: why it was sent again.
    """

    due: float
    began: float
    ended: float
    user: str
    id: str
    status: int
    model: str
    empty: int
    whole: bool
    broken: int
    fault: str


@dataclass
class Load:
    """Constant load while the block lasts; leaving it asserts that every request was answered with 200.

    Attributes:
        name: Of the test, for the figures.
        places: `host:port` of each router.
        out: Where the generator writes.
        row: What is sent.
        rate: Requests a second.
        users: How many different ones.
        lacks: The share of the requests without `feature`.
        feature: See `lacks`.
        strict: Whether leaving asserts anything.
    """

    name: str
    places: list[str]
    out: Path
    row: dict[str, Any]
    rate: float = 120.0
    users: int = 150
    lacks: float = 0.0
    feature: str = ""
    strict: bool = True
    figures: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> "Load":
        config = {
            "places": self.places, "out": str(self.out), "row": self.row, "rate": self.rate,
            "users": self.users, "lacks": self.lacks, "feature": self.feature, "model": "demo",
            "seed": sum(self.name.encode()),
        }  # fmt: skip
        here = Path(__file__).with_name("chaos_generator.py")
        self._process = subprocess.Popen([sys.executable, str(here), json.dumps(config)])
        self._read, self._known = 0, []
        self.wait(10)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.stop()
        self.figures = {"test": self.name, **summary(self.answers()), **self.figures}
        FIGURES.append(self.figures)
        if self.strict and kind is None:
            self.let_nobody_down()

    def stop(self) -> None:
        """Send nothing more, and wait for the answers."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(20)
            finally:
                self._process.kill()
        assert self._process.returncode == 0, f"the generator ended with {self._process.returncode}"

    def answers(self) -> list[Answer]:
        """All of them so far, in the order in which they came."""
        with contextlib.suppress(FileNotFoundError), self.out.open("rb") as file:
            file.seek(self._read)
            text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read += len(whole)
            self._known += [Answer(*json.loads(line)) for line in whole.splitlines()]
        return self._known

    def since(self, moment: float) -> list[Answer]:
        """Those to requests that left after a moment."""
        return [a for a in self.answers() if a.began >= moment]

    def wait(self, count: int, seconds: float = 20.0) -> None:
        """Until so many more have come."""
        wanted, deadline = len(self.answers()) + count, time.monotonic() + seconds
        while len(self.answers()) < wanted:
            assert self._process.poll() is None, "the generator ended"
            assert time.monotonic() < deadline, f"not {count} answers within {seconds} s"
            time.sleep(0.02)

    def let_nobody_down(self) -> None:
        """Assert that every request got the status 200."""
        bad = [a for a in self.answers() if a.status != 200]
        statuses = dict(Counter(a.status for a in bad))
        assert not bad, f"{len(bad)} of {len(self.answers())} requests: {statuses}; {bad[:3]}"


def summary(answers: list[Answer]) -> dict[str, Any]:
    """The figures of a load."""
    seconds = sorted(a.ended - a.due for a in answers) or [0.0]
    return {
        "requests": len(answers),
        "non-200": sum(a.status not in (0, 200) for a in answers),
        "no answer": sum(a.status == 0 for a in answers),
        "sent again": sum(a.broken == 1 and a.status > 0 for a in answers),
        "p50 ms": round(1000 * seconds[len(seconds) // 2], 1),
        "p99 ms": round(1000 * seconds[int(len(seconds) * 0.99)], 1),
    }


def models(answers: list[Answer]) -> Counter[str]:
    """How many answers each version gave."""
    return Counter(a.model for a in answers if a.status == 200)


def flips(answers: list[Answer], candidate: str, slack: float = 0.0) -> list[tuple[Answer, Answer]]:
    """Answers by another version to users who had the candidate before.

    Args:
        answers: Any.
        candidate: The version, such as `demo@2`.
        slack: Seconds: two routers do not change over at the very same moment.
    """
    first: dict[str, Answer] = {}
    found = []
    for answer in sorted(answers, key=lambda a: a.ended):
        had = first.get(answer.user)
        if answer.model == candidate:
            first.setdefault(answer.user, answer)
        elif answer.status == 200 and had is not None and answer.began > had.ended + slack:
            found.append((had, answer))
    return found
