"""Buckets of the routers added to a rollout's evidence, each exactly once."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from evergreen.rollout.evidence import (
    ArmCounts,
    Bucket,
    Evidence,
    Outputs,
    Pairs,
    Passed,
    StepEvidence,
    UserEvidence,
    added,
)
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.statistics import clusters


def offset_key(router: str) -> str:
    """Under which name the evidence keeps how far a router was read."""
    return f"router/{router}"


def counted(record: RolloutRecord, buckets: Iterable[Bucket]) -> Evidence:
    """The record's evidence with these buckets; those it holds already change nothing.

    A bucket belongs to the stage of its generation, even when it comes after the stage has passed. Buckets of
    other rollouts, or of no generation of this one, only move the offset.
    """
    evidence = record.evidence
    offsets, steps, known = dict(evidence.offsets), list(evidence.steps), dict(evidence.clusters)
    places = {step.stage: index for index, step in enumerate(steps)}
    for bucket in sorted(buckets, key=lambda b: (b.router, b.seq)):
        key = offset_key(bucket.router)
        if bucket.seq <= offsets.get(key, 0):
            continue
        offsets[key] = bucket.seq
        place = places.get(stage_at(record, bucket.generation)) if bucket.rollout == record.id else None
        if place is not None:
            steps[place] = _with(steps[place], bucket, _repeats(known, bucket))
    if offsets == evidence.offsets:
        return evidence
    return replace(evidence, steps=tuple(steps), offsets=offsets, clusters=known)


def _repeats(known: dict[str, clusters.Clusters], bucket: Bucket) -> dict[str, int]:
    """How much more the events cluster by user with those of a bucket, which are added to what is known."""
    more = {}
    for rate, sketch in bucket.clusters.items():
        before = known.get(rate, ())
        known[rate] = clusters.merged(before, sketch)
        more[rate] = clusters.repeats(known[rate]) - clusters.repeats(before)
    return more


def stage_at(record: RolloutRecord, generation: int) -> int:
    """The stage that a generation belongs to; -1 for none."""
    stage = -1
    for mark in record.marks:
        if mark.generation > generation:
            break
        stage = mark.stage
    return stage


def _with(step: StepEvidence, bucket: Bucket, more: Mapping[str, int]) -> StepEvidence:
    none = ArmCounts()
    arms: Mapping[str, ArmCounts] = {
        **step.arms,
        **{arm: added(step.arms.get(arm, none), counts) for arm, counts in bucket.arms.items()},
    }
    repeats = {**step.repeats, **{rate: step.repeats.get(rate, 0) + n for rate, n in more.items()}}
    return replace(step, arms=arms, mirrored=step.mirrored + bucket.mirrored, repeats=repeats)


def begun(evidence: Evidence, stage: int, share: float) -> Evidence:
    """The evidence as a stage begins: what is judged by stage starts from nothing, what was known is kept."""
    users = replace(evidence.users, exposed={}, exposed_share=share, pairs=Pairs(), outputs=Outputs())
    passed = evidence.passed
    if evidence.steps:
        passed = (*passed, Passed(evidence.steps[-1].stage, evidence.users, evidence.looks))
    steps = (*evidence.steps, StepEvidence(stage, share))
    return replace(evidence, steps=steps, users=users, looks=(), passed=passed)


def with_users(evidence: Evidence, users: UserEvidence, offsets: Mapping[str, int], state: str) -> Evidence:
    """The evidence with what the prediction log says up to its new offsets."""
    return replace(evidence, users=users, offsets={**evidence.offsets, **offsets}, state=state)
