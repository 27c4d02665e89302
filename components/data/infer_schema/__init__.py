"""Infer a table's schema from its profile, or take the baseline's."""
