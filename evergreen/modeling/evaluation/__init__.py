"""Evaluate: metrics with intervals by slice, the paired comparison with the baseline, the model gate."""
