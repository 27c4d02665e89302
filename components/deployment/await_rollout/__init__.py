"""Wait until a rollout has passed a stage, or has ended."""
