"""What a server takes and how it answers what does not fit: the `serving` section of a project file."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from evergreen.errors import InputError
from evergreen.project.model.serving import Serving
from evergreen.project.model.values import memory_bytes

VARIABLE = "EVERGREEN_SERVING"


@dataclass(frozen=True)
class Limits:
    """What one server takes.

    Attributes:
        body: Bytes of a request's body.
        rows: Rows of a request.
        in_flight: Prediction requests at the same time; the next one is answered with 503.
        body_seconds: How long a body may take to arrive; then the answer is 408.
        seconds: How long a request may wait for its prediction; then the answer is 503.
    """

    body: int = 16 * 1024 * 1024
    rows: int = 10_000
    in_flight: int = 256
    body_seconds: float = 20.0
    seconds: float = 20.0

    @classmethod
    def of(cls, serving: Serving) -> "Limits":
        """What a project file says."""
        limits, seconds = serving.limits, serving.limits.time.total_seconds()
        size = memory_bytes(limits.body)
        return cls(size, limits.rows, limits.in_flight, seconds, seconds)


@dataclass(frozen=True)
class Policy:
    """How a server answers what does not fit the model.

    Attributes:
        violations: `refuse` a value of a wrong type or out of range, or `impute` it: take it for missing.
        unknown_columns: `refuse` columns that the model does not take, or `ignore` them.
        empty_outputs: Predictions that stand for "no answer", besides null, NaN and the empty text.
        user_header: The request header that says whom an answer is for.
    """

    violations: Literal["refuse", "impute"] = "refuse"
    unknown_columns: Literal["refuse", "ignore"] = "refuse"
    empty_outputs: tuple[str | bool | int | float, ...] = ()
    user_header: str = "x-user-id"

    @classmethod
    def of(cls, serving: Serving) -> "Policy":
        """What a project file says."""
        return cls(
            serving.violations, serving.unknown_columns, tuple(serving.empty_outputs), serving.user_header
        )


def read_settings(project: Path | None = None, settings: Path | None = None) -> Serving:
    """The `serving` section: of a project file, of a file that holds it as JSON, or of EVERGREEN_SERVING.

    Args:
        project: A project file; it wins over the others.
        settings: A file with the section as JSON; it wins over the environment.

    Raises:
        InputError: naming the file or the variable, the field, and what was found there.
    """
    if project is not None:
        from evergreen.project import load_project

        return load_project(project).serving
    if settings is not None:
        try:
            text = settings.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(str(settings), f"cannot be read ({type(error).__name__})") from None
        return parse_settings(text, str(settings))
    return parse_settings(os.environ.get(VARIABLE) or "{}", VARIABLE)


def parse_settings(text: str, where: str) -> Serving:
    """Read the `serving` section as JSON.

    Raises:
        InputError: naming `where`, the field, and what was found there.
    """
    try:
        return Serving.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the text"
        raise InputError(
            where, f"{field}: {first['msg']}", "the project file's section `serving` as JSON"
        ) from None
