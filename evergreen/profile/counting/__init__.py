"""Exact counts: layouts, passes over the rows, slices, merging."""
