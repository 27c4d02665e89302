"""Bring every source that a project needs to Parquet."""
