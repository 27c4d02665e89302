"""Evaluation: measure a model, and decide whether it may go on."""
