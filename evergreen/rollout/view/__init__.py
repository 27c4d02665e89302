"""A rollout for people and programs: what its record says, as a live screen, as lines, as JSON."""
