"""Kept tables: snapshots as Delta versions, time travel, what changed, retention."""
