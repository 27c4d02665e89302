"""Predict one share of the shards of a batch."""
