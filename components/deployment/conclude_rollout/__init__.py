"""Wait for the end of a rollout, check the aliases, keep its record."""
