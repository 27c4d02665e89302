"""Say who won the experiment of a rollout."""
