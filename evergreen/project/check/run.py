"""A project file against its data and its estimator: what parsing alone cannot see."""

import os
import tempfile
from pathlib import Path

from evergreen.errors import Problem
from evergreen.project.check.estimator import check_model
from evergreen.project.check.features import check_features, check_uses
from evergreen.project.check.label import check_label
from evergreen.project.check.look import Look
from evergreen.project.check.sources import open_sources
from evergreen.project.check.validation import check_validation
from evergreen.project.load import load_document
from evergreen.tables import connect


def check_project(path: str | os.PathLike[str]) -> list[Problem]:
    """Look at the project's data and estimator, and list every fault in the order of the file.

    Sources are read where they are local; those on an object store are left to `ingest_data`, which reports
    on them. Nothing is written.

    Args:
        path: The project file.

    Returns:
        One problem each, with its line; empty when all is well.

    Raises:
        InputError: when the file cannot be read.
        ProjectError: when the file is wrong in itself; these faults have to go first.
    """
    project, document = load_document(path)
    with tempfile.TemporaryDirectory(prefix="evergreen-check-") as scratch, connect(project.resources) as con:
        look = Look(project, document, con)
        open_sources(look, Path(scratch))
        check_label(look)
        check_features(look)
        check_uses(look)
        check_validation(look)
    check_model(project, document)
    return sorted(document.problems, key=lambda p: p.line)
