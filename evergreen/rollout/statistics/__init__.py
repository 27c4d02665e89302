"""The statistics of a rollout: pure functions of counts and sums, valid however often they are asked."""
