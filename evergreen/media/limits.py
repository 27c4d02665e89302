"""What a file may cost, and the reason of one that cannot be described."""

from dataclasses import dataclass

from evergreen.project.model import Media
from evergreen.project.model.values import memory_bytes


class Unusable(Exception):
    """A file that cannot be described; the message becomes the `error` of its row."""


@dataclass(frozen=True)
class Limits:
    """Bounds for one file.

    Attributes:
        bytes: Its size at most.
        pixels: Of an image, at most.
        encoding: Of texts; None to find it by the bytes.
    """

    bytes: int = 32 * 2**20
    pixels: int = 89_000_000
    encoding: str | None = None

    @staticmethod
    def of(media: Media) -> "Limits":
        """The bounds that a project sets."""
        return Limits(memory_bytes(media.max_bytes), media.max_pixels, media.encoding)
