"""Compare what a model was trained on with what it is served, value by value and in distribution."""
