"""One page about a rollout: what was decided, on what evidence, by whom, and how to go back."""
