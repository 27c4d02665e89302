"""The salt of users and hashed columns: from the environment, or one of this machine's own."""

import os
import secrets
from pathlib import Path

VARIABLE = "EVERGREEN_USER_SALT"
_NAME = "salt"


def find_salt(spool: Path) -> str:
    """EVERGREEN_USER_SALT, else the one kept in the spool folder, which is made on first use (mode 0600).

    Servers of one model must have the same salt, or one user has several keys: on a cluster it comes from a
    Secret. It never stands in a log, a segment or a report.

    Args:
        spool: The log's local folder; made when it is not there.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return given
    spool.mkdir(parents=True, exist_ok=True)
    path = spool / _NAME
    temporary = spool / f".{_NAME}.{os.getpid()}.{secrets.token_hex(4)}"
    if not path.exists():
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)  # fails where another process was first: then its salt counts
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_text()
