"""Predict every row of a table with a blessed model: sharded, resumable, byte-identical when run again."""
