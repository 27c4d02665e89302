"""Find labels that are missing, conflicting, duplicated or wrong."""
