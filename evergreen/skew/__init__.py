"""Skew: what a model was trained on against what it is served, value by value and in distribution.

The names below load on first use, so that importing this package costs nothing at the start of a command.
"""

from typing import TYPE_CHECKING

from evergreen.lazy import on_first_use

if TYPE_CHECKING:
    from evergreen.skew.check import Skew, check_skew
    from evergreen.skew.page import skew_page
    from evergreen.skew.tables import SkewTables, skew_tables

_HOMES = {
    "Skew": "check",
    "SkewTables": "tables",
    "check_skew": "check",
    "skew_page": "page",
    "skew_tables": "tables",
}

__all__ = ["Skew", "SkewTables", "check_skew", "skew_page", "skew_tables"]

__getattr__ = on_first_use(__name__, _HOMES)
