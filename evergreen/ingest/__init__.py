"""From a source as it is written to a typed, checked Parquet table."""
