"""Tune: seeded sub-studies over the search space, their merge, their charts."""
