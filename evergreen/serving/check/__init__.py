"""Infra validation: a bundle in the real server, asked with real and hostile rows, before it is pushed."""
