"""The router: Envoy's configuration from a plan, and the agent beside each Envoy that applies and counts."""
