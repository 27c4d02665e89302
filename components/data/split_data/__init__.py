"""Split a training set into train, validation and test."""
