"""Infra validation."""
