"""What the components of a rollout do: one module a component, and where they find what they work on."""
