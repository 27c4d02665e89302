"""Bring a candidate's servers up beside the baseline's."""
