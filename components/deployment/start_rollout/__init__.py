"""Begin the rollout of a version, or attach to the one under way."""
