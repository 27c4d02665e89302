"""The project file: its model, loading with every fault and its line, checking against data, `init`."""

from evergreen.project.load import dump_project, load_project, parse_project
from evergreen.project.model import Project

__all__ = ["Project", "dump_project", "load_project", "parse_project"]
