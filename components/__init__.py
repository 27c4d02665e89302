"""KFP components by lifecycle stage: thin wrappers over `evergreen`, one folder each."""
