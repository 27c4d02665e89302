"""The section of a source whose files are images or texts."""

from typing import Annotated, Literal

from pydantic import Field

from evergreen.project.model.values import Memory, Section


class Media(Section):
    """How a folder of images or texts becomes a table: one row a file.

    Name the columns that are features: `columns: "*"` would take paths and digests too. A file that cannot be
    read is a row too, with the reason in its column `error`; only when all files are
    such, the source is refused.

    Attributes:
        label_from: `folder` puts the name of the folder that a file is in into the column `label`.
        distance: Two images are near duplicates when at most so many of the 128 bits of their two perceptual
            hashes differ.
        similarity: Two texts are near duplicates when they have at least this share of their runs of three
            words in common.
        max_bytes: A larger file is not read, and its row says so.
        max_pixels: An image with more pixels is not decoded, and its row says so: a small file can hold an
            image that fills the memory.
        encoding: Of texts, such as `latin-1`; default: found for each file by its bytes.
    """

    label_from: Literal["folder"] | None = None
    distance: Annotated[int, Field(ge=0, le=32)] = 8
    similarity: Annotated[float, Field(ge=0.5, le=1)] = 0.8
    max_bytes: Memory = "32MiB"
    max_pixels: Annotated[int, Field(ge=1)] = 89_000_000
    encoding: str | None = None
