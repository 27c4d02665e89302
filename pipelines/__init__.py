"""The pipelines: when each component runs, with its caching and retries (docs/architecture.md)."""
