"""Hold a table to its schema, its volume and its frozen baseline."""
