"""When harm could be known: from what the client and the routers saw, computed when all is over.

Both go through the very judge that decided: request by request from the client's log, and bucket by bucket
from the routers. Before that moment no controller could have known.
"""

from collections import defaultdict
from collections.abc import Iterable

from chaos_load import Answer

from evergreen.rollout.evidence import ArmCounts, Bucket, Evidence, StepEvidence, added
from evergreen.rollout.judge import judge
from evergreen.rollout.plans import settings_of
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.tally import stage_at


def seen_by_the_client(answers: Iterable[Answer], record: RolloutRecord) -> float | None:
    """When the judge would have rolled back, had it had the client's log: seconds since 1970; None for never.

    A user whom the candidate ever answered is on its arm; where another version answers them, it failed. Each
    user counts once, where several routers count them once each: so this may come later than their counts.
    """
    candidate, slo = f"demo@{record.candidate}", record.plan.slo
    every = sorted(answers, key=lambda a: a.ended)
    first = min(a.began for a in every if a.model == candidate)
    theirs = {a.user for a in every if a.model == candidate}
    counts = {arm: ArmCounts(events={}, harmed={}) for arm in ("baseline", "candidate")}
    harmed: set[tuple[str, str]] = set()
    for answer in every:
        if answer.began < first:
            continue
        arm = "candidate" if answer.user in theirs else "baseline"
        bad = {
            "errors": arm == "candidate" and answer.model != candidate,
            "latency": answer.ended - answer.began > slo,
            "empty_outputs": answer.empty > 0,
        }
        names = [rate for rate, is_bad in bad.items() if is_bad]
        new = [rate for rate in names if (rate, answer.user) not in harmed]
        harmed |= {(rate, answer.user) for rate in new}
        once = ArmCounts(1, events=dict.fromkeys(names, 1), harmed=dict.fromkeys(new, 1))
        counts[arm] = added(counts[arm], once)
        if arm == "candidate" and new and _harm(record, 0, counts):
            return answer.ended
    return None


def counted_by_routers(buckets: Iterable[Bucket], record: RolloutRecord) -> tuple[float, float]:
    """When the first and the last request of the bucket came with which the judge would have rolled back."""
    counts: dict[str, ArmCounts] = defaultdict(ArmCounts)
    mine = [b for b in buckets if b.rollout == record.id and stage_at(record, b.generation) == 0]
    for bucket in sorted(mine, key=lambda b: b.end):
        for arm, more in bucket.arms.items():
            counts[arm] = added(counts[arm], more)
        if _harm(record, 0, counts):
            return bucket.begin, bucket.end
    raise AssertionError("the routers counted no harm")


def _harm(record: RolloutRecord, stage: int, counts: dict[str, ArmCounts]) -> bool:
    settings = settings_of(record)
    step = StepEvidence(stage, settings.stages[stage].percent, dict(counts))
    return judge(settings, stage, Evidence(steps=(step,)), 1e6).verdict.kind == "roll_back"
