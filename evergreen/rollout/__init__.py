"""Rollout: from a candidate beside the baseline to its launch, or back: state machine, statistics, router."""
