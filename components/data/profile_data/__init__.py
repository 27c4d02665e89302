"""Profile a table: counts, moments, bins, frequent and distinct values of every column."""
