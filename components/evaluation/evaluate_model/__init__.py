"""Evaluate a model: metrics with intervals, by slice, beside the baseline."""
