"""Search for the best parameters of the project's estimator."""
