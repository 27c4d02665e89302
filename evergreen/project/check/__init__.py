"""`check_project`: a project file against its data and its estimator."""

from evergreen.project.check.run import check_project

__all__ = ["check_project"]
