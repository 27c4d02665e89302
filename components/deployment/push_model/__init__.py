"""Push a gated model to the registry as a new version and move its aliases."""
