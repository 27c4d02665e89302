"""Count one shard's rows that break rules."""
