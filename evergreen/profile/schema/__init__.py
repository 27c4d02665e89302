"""What a table is held to: its model, its YAML file, and how one is inferred."""
