"""From the project file's text to a `Project`, and back; a wrong file gets all of its faults at once."""

import os
from pathlib import Path

from pydantic import ValidationError

from evergreen.errors import InputError
from evergreen.project.document import Document, read_document, write_document
from evergreen.project.explain import explain
from evergreen.project.model import Project
from evergreen.project.paths import located
from evergreen.project.semantics import check_meaning


def parse_project(text: str, name: str = "project") -> Project:
    """Read a project from its text; paths are taken as they stand.

    Args:
        text: YAML.
        name: What error messages call the text, such as its file's name.

    Raises:
        ProjectError: with every fault, its line, what was found and what was expected.
    """
    return _parse(text, name)[0]


def load_project(path: str | os.PathLike[str]) -> Project:
    """Read a project file; its relative paths become absolute, `package://` paths are located.

    Raises:
        InputError: when the file is missing, a folder, not readable or not UTF-8 text.
        ProjectError: with every fault of the file.
    """
    return load_document(path)[0]


def load_document(path: str | os.PathLike[str]) -> tuple[Project, Document]:
    """Like `load_project`, with the document that knows each field's line."""
    file = Path(path)
    project, document = _parse(_read(file), str(path))
    return located(project, file.absolute().parent, document), document


def dump_project(project: Project) -> str:
    """A project as YAML text that `parse_project` reads back equal; fields at their default are left out."""
    return write_document(project.model_dump(mode="json", exclude_defaults=True))


def _parse(text: str, name: str) -> tuple[Project, Document]:
    document = read_document(text, name)
    project: Project | None = None
    try:
        project = Project.model_validate(document.data)
    except ValidationError as error:
        explain(error, document)
    except RecursionError:
        document.add((), "values nested too deeply", "the fields of a project")
    check_meaning(document)
    document.stop_if_wrong()
    assert project is not None
    return project, document


def _read(file: Path) -> str:
    if file.is_dir():
        remedy = "Name the file in it, such as project.yaml."
        raise InputError(str(file), "a folder", "a project file", remedy)
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        remedy = "Check the path, or write one with `evergreen init`."
        raise InputError(str(file), "no such file", "a project file", remedy) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise InputError(str(file), reason, "a project file that can be read") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        found = f"line {line} is not UTF-8 text"
        raise InputError(str(file), found, "a text file", "Save it with the encoding UTF-8.") from None
