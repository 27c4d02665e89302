"""The statistics of a rollout: pure functions of counts and sums that stay valid however often they are asked."""
