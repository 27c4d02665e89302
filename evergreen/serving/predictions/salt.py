"""The salt of users and hashed columns: from the environment, or one of this machine's own."""

import contextlib
import os
import secrets
from pathlib import Path

from evergreen.files import explained

VARIABLE = "EVERGREEN_USER_SALT"
_NAME = "salt"


def find_salt(spool: Path) -> str:
    """EVERGREEN_USER_SALT, else the one kept in the spool folder, which is made on first use (mode 0600).

    Servers of one model must have the same salt, or one user has several keys: on a cluster it comes from a
    Secret. It never stands in a log, a segment or a report.

    Args:
        spool: The log's local folder; made when it is not there.

    Raises:
        StorageError: when the folder cannot be written or the salt not be read.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return given
    path = spool / _NAME
    with explained(path):
        spool.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        return path.read_text()


def _make(path: Path) -> None:
    temporary = path.with_name(f".{_NAME}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: then its salt counts
            os.link(temporary, path)
    finally:
        temporary.unlink()
