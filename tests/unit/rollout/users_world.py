"""A made-up log of predictions and outcomes, and the same sums in plain Python, from all of it at once."""

import random
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq

from evergreen.rollout.evidence import Evidence
from evergreen.rollout.plan import RoutePlan, Target
from evergreen.rollout.record import RolloutRecord

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
MODEL = "shop"
JOIN, SETTLE = 1800, 300
GRACE = 2.0  # the plan's timeout and a second


@dataclass(frozen=True)
class Row:
    """A row of the prediction log; `time` in seconds after T0."""

    time: float
    request: str
    user: str = ""
    arm: str = "baseline"
    row: int = 0
    prediction: str | None = "yes"
    score: float | None = 0.5
    seconds: float = 0.01
    status: int = 200
    empty: bool = False

    @property
    def version(self):
        return 2 if self.arm in ("candidate", "shadow") else 1


@dataclass(frozen=True)
class Out:
    time: float
    request: str = ""
    user: str = ""
    event: str = "click"
    value: float = 1.0


def stamp(seconds):
    return round((T0 + seconds) * 1e6)


def _table(rows):
    time = pa.array([stamp(r.time) for r in rows], pa.timestamp("us", tz="UTC"))
    if isinstance(rows[0], Out):
        columns = {
            "time": time,
            "request_id": [r.request for r in rows],
            "user": [key(r.user) for r in rows],
            "event": [r.event for r in rows],
            "value": pa.array([r.value for r in rows], pa.float64()),
        }
        return pa.table(columns)
    columns = {
        "time": time,
        "request_id": [r.request for r in rows],
        "row": pa.array([r.row for r in rows], pa.int32()),
        "user": [key(r.user) for r in rows],
        "arm": [r.arm for r in rows],
        "model": [MODEL] * len(rows),
        "version": pa.array([r.version for r in rows], pa.int32()),
        "status": pa.array([r.status for r in rows], pa.int16()),
        "seconds": pa.array([r.seconds for r in rows], pa.float64()),
        "prediction": pa.array([r.prediction for r in rows], pa.string()),
        "score": pa.array([r.score for r in rows], pa.float64()),
        "empty": [r.empty for r in rows],
        "missing": pa.array([0] * len(rows), pa.int32()),
        "imputed": pa.array([0] * len(rows), pa.int32()),
    }
    return pa.table(columns)


def key(user):
    return f"{int(user):016x}" if user else ""


class Writers:
    """Puts segments into a store, each writer's numbered from 1."""

    def __init__(self, store, folder):
        self._store, self._folder, self._last = store, folder, defaultdict(int)

    def put(self, rows, writer="writer01"):
        """One segment; returns its key."""
        kind = "outcomes" if isinstance(rows[0], Out) else "predictions"
        self._last[kind, writer] += 1
        day = datetime.fromtimestamp(T0 + rows[0].time, UTC).date()
        name = f"{kind}/{MODEL}/{day}/{writer}-{self._last[kind, writer]:010d}.parquet"
        path = self._folder / "segment.parquet"
        pq.write_table(_table(rows), path)
        self._store.upload(path, name)
        return name


def record(since=0.0, share=20.0, mirror=0.0, stage=1, created=-600.0, evidence=None, **settings):
    """A rollout: shadow, canary 20 %, experiment 50 %."""
    section = {
        "stages": [
            {"kind": "shadow"},
            {"kind": "canary", "share": 20},
            {"kind": "experiment", "share": 50, "success": [{"event": "bought", "per": "user"}]},
        ],
        "guardrails": {"means": [{"event": "click"}, {"event": "retry", "within": "60s"}]},
        **settings,
    }
    plan = RoutePlan(
        MODEL, "shop-2-abcdef", stage + 1, Target(1, ("a:1",)), Target(2, ("b:1",)), share, mirror
    )
    return RolloutRecord(
        id="shop-2-abcdef", model=MODEL, baseline=1, candidate=2, settings=section, serving={},
        phase="running", stage=stage, since=T0 + since, created=T0 + created, by="test", plan=plan,
        evidence=evidence or Evidence(),
    )  # fmt: skip


def after(record, reading, **changes):
    """The record with what was read, as the controller writes it."""
    evidence = replace(
        record.evidence,
        users=reading.users,
        offsets={**record.evidence.offsets, **reading.offsets},
        state=reading.state,
    )
    return replace(record, evidence=evidence, **changes)


@dataclass
class Brute:
    """The sums in plain Python."""

    live: float
    begin: float
    within: float = 60.0
    gaps: list = field(default_factory=list)
    counts: bool = True

    def place(self, time, arm):
        if time < self.live:
            return "before" if arm in ("", "baseline") else None
        return arm if self.counts and time >= self.begin and arm in ("baseline", "candidate") else None

    def users(self, rows):
        """By (user, place): requests and sums by event; and first arms, and who switched."""
        arms = {"": 0, "baseline": 1, "candidate": 2}
        visits = {}
        for r in rows:
            if r.row == 0 and r.user and r.arm != "shadow":
                at = (r.request, r.user)
                visits[at] = min(visits.get(at, (9e9, 0)), (r.time, arms[r.arm]))
        return {at: (time, list(arms)[code]) for at, (time, code) in visits.items()}

    def sums(self, rows, outs, events=("bought", "click", "retry")):
        visits = self.users(rows)
        n, y, happened = defaultdict(int), defaultdict(float), defaultdict(int)
        by_user = defaultdict(list)
        for (_, user), (time, arm) in visits.items():
            by_user[user].append((time, arm))
        first, switched = {}, set()
        for user, seen in by_user.items():
            seen.sort()
            for time, arm in seen:
                if place := self.place(time, arm):
                    n[user, place] += 1
                    if place != "before":
                        first.setdefault(user, (time, arm))
            for (t, arm), (later, _) in pairwise(seen):
                place = self.place(t, arm)
                if place and later - t <= self.within + 1e-9:
                    y[user, place, "retry"] += 1
                    happened["retry", place] += 1
            shown = [(t, a) for t, a in seen if a and t >= self.live and not self._moving(t)]
            times = {a: [t for t, b in shown if b == a] for a in ("baseline", "candidate")}
            if max(times["baseline"], default=-1e9) > min(times["candidate"], default=1e9):
                switched.add(user)
        owners = defaultdict(set)
        for request, user in visits:
            owners[request].add(user)
        for o in outs:
            if o.event not in events:
                continue
            user, place = self._owner(o, visits, owners, first)
            if place:
                y[user, place, o.event] += o.value
                happened[o.event, place] += o.value != 0
        return n, y, happened, first, switched

    def _moving(self, time):
        return any(a <= time < b for a, b in self.gaps)

    def _owner(self, o, visits, owners, first):
        for user in [o.user] if o.user and (o.request, o.user) in visits else list(owners[o.request]):
            if o.request and (user == o.user or len(owners[o.request]) == 1):
                time, arm = visits[o.request, user]
                if o.time - JOIN <= time <= o.time + SETTLE:
                    return user, self.place(time, arm)
        if not o.user:
            return "", None
        if o.time < self.live:
            return o.user, "before"
        begun = o.user in first and first[o.user][0] <= o.time
        return o.user, first[o.user][1] if begun and o.time >= self.begin and self.counts else None

    def moments(self, rows, outs, event, by_user, arm):
        """What `UserMoments` holds."""
        n, y, happened, _, _ = self.sums(rows, outs)
        users = [user for user, place in n if place == arm]
        table = []
        for user in users:
            requests, before = n[user, arm], n.get((user, "before"), 0)
            past = y.get((user, "before", event), 0.0)
            x = (past if by_user else past / before) if before else 0.0
            table.append((y.get((user, arm, event), 0.0), 1.0 if by_user else float(requests), x, before > 0))
        total = {
            "users": len(table),
            "events": happened.get((event, arm), 0),
            "covered": sum(c for *_, c in table),
        }
        for name, f in {
            "y": lambda y, n, x: y, "n": lambda y, n, x: n, "x": lambda y, n, x: x,
            "yy": lambda y, n, x: y * y, "nn": lambda y, n, x: n * n, "xx": lambda y, n, x: x * x,
            "yn": lambda y, n, x: y * n, "yx": lambda y, n, x: y * x, "nx": lambda y, n, x: n * x,
        }.items():  # fmt: skip
            total[name] = sum(f(y, n, x) for y, n, x, _ in table)
        return total


def traffic(seed, size, begin=-1500.0, end=1500.0):
    """Rows and outcomes in the order of their times; the candidate has users below 20 % from 0 on."""
    chance = random.Random(seed)
    rows, outs = [], []
    users = [str(n) for n in range(1, max(3, size // 6))]
    for number in range(size):
        time = round(chance.uniform(begin, end), 3)
        user = chance.choice([*users, ""])
        live = time >= 0 and user and int(user) % 5 == 0
        arm = "candidate" if live and chance.random() > 0.03 else chance.choice(["baseline"] * 9 + [""])
        request = "shared" if chance.random() < 0.02 else f"r{number}"
        row = Row(time, request, user, arm, prediction=chance.choice(["yes", "no", None]))
        rows += [row] * chance.choice([1] * 9 + [2])
        if chance.random() < 0.1:
            rows.append(replace(row, time=time + chance.uniform(0, 9), arm="baseline"))  # the fallback's
        if chance.random() < 0.2:
            rows.append(replace(row, row=1))
        if chance.random() < 0.3:  # a retry, now and then
            rows.append(replace(row, time=time + chance.uniform(0, 120), request=f"again{number}"))
        if chance.random() < 0.4:
            late = chance.choice([-5, 1, 30, 400, 1700, 1900])
            asked = chance.choice([request, request, "", "unknown"])
            who = chance.choice([user, user, "", "3"])
            if asked or who:
                value = chance.choice([1.0, 0.0, 2.5, 0.1])
                outs.append(Out(time + late, asked, who, chance.choice(["click", "bought", "other"]), value))
    return sorted(rows, key=lambda r: r.time), sorted(outs, key=lambda o: o.time)
