"""Fetch a version of a model from the registry."""
