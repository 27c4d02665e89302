"""Components of the deployment stage: the registry and batch prediction."""
