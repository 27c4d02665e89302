"""The model gate: hold an evaluation to the project's bounds and to the baseline."""
