"""Evergreen: components that keep models in production evergreen (the library floor, free of KFP)."""

__version__ = "0.1.0"
