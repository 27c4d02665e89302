"""The point-in-time join: plan, spine, values known at the label's time, aggregates over windows."""
