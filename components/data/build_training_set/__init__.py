"""Join labels with features as they were known at each label's time."""
