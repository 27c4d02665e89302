"""`write_project`: look at tables, choose, and write a project file that runs as it is."""

from evergreen.project.init.write import write_project

__all__ = ["write_project"]
