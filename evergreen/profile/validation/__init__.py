"""A table against schema, volume and baseline: findings, drift, decisions and their page."""
