"""Data stage: from sources to a training set that has been looked at, checked and split."""
