"""Split, pipeline, tune, train and evaluate: plain functions over Parquet folders and a project."""
