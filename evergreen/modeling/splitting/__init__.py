"""Split: rows into train, validation and test, and the leaks that stop a run."""
