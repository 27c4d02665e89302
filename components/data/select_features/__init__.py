"""Leave out the features that do not help, leak, or will be missing when the model serves."""
