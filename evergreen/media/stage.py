"""The hook of ingestion: the files of a source of images or texts, as the Parquet that every reader gives."""

from collections.abc import Sequence
from pathlib import Path

from evergreen.errors import DataError
from evergreen.ingest.locate import Found
from evergreen.ingest.stage import Staged
from evergreen.media.describe import Kind, Progress, describe_files
from evergreen.media.files import Files
from evergreen.project.model import Media, Source


def stage_media(
    source: Source, found: Sequence[Found], target: Path, endpoint: str | None = None,
    progress: Progress | None = None,
) -> Staged:  # fmt: skip
    """Describe a source's files in one Parquet file, staged under the folder that all of them are in.

    Args:
        source: The source's section; its `format` is `images` or `texts`.
        found: Its files, from `evergreen.ingest.locate`.
        target: The Parquet file to write.
        endpoint: Of the S3 server; default: from the environment.
        progress: Called now and then with the files done and to do.

    Raises:
        DataError: when not one file can be described, or an option is given.
        StorageError: when the object store or the disk refuses.
    """
    if source.options:
        name = next(iter(source.options))
        raise DataError(f"format: {source.format}", f"the option {name!r}", "settings under `media`")
    kind: Kind = "images" if source.format == "images" else "texts"
    files = Files.of(found, endpoint)
    made = describe_files(files, kind, source.media or Media(), target, progress=progress)
    return Staged(files.root, target, kind, made.bytes)
