"""What an executor does with one part file of a snapshot; imported by Spark's workers, so it stays light."""

from pathlib import Path

from evergreen.files import sha256
from evergreen.storage import open_store


def upload_part(file: str, uri: str, endpoint: str | None, name: str) -> tuple[str, int, str]:
    """Put a file into a table's folder; Spark may run it twice, which writes the same bytes twice.

    Args:
        file: The file, under a path that executors see.
        uri: The table.
        endpoint: Of the S3 server; credentials come from the executor's environment.
        name: What the file is called in the table's folder.

    Returns:
        The name, the file's bytes and the SHA-256 of its content.

    Raises:
        StorageError: when the store refuses.
    """
    path = Path(file)
    open_store(uri, endpoint=endpoint).upload(path, name)
    return name, path.stat().st_size, sha256(path)
