"""Small pictures of some files, inlined, so that a page needs nothing but itself."""

import base64
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO

from markupsafe import Markup
from PIL import Image

from evergreen.media.files import Files
from evergreen.media.images import small_rgb
from evergreen.media.limits import Limits, Unusable

_SIDE, _QUALITY = 112, 60
_FIGURE = Markup(
    '<figure style="margin:0;width:{}px"><img src="{}" alt="{}" loading="lazy" style="display:block;'
    'max-width:100%;border-radius:6px;border:1px solid var(--line)">'
    '<figcaption style="font-size:11.5px;overflow-wrap:anywhere">{}<br>{}</figcaption></figure>'
)


@dataclass(frozen=True)
class Shot:
    """A file to show: its name below the source, and a line below its picture."""

    name: str
    remark: str


class Gallery:
    """Draws pictures of a source's files; one that cannot be read is left out."""

    def __init__(self, files: Files, limits: Limits) -> None:
        self._files, self._limits = files, limits
        self._places = {name: place for place, name in enumerate(files.names)}

    def strip(self, title: str, shots: Sequence[Shot]) -> Markup:
        """A titled row of pictures, each with its name; empty when none can be shown."""
        figures = Markup("").join(self._figure(shots))
        if not figures:
            return Markup("")
        row = Markup('<div style="display:flex;flex-wrap:wrap;gap:14px;margin-top:8px">{}</div>')
        return Markup("<div><strong>{}</strong>{}</div>").format(title, row.format(figures))

    def _figure(self, shots: Iterable[Shot]) -> Iterable[Markup]:
        for shot in shots:
            source = self._encoded(shot.name)
            if source:
                yield _FIGURE.format(_SIDE, source, shot.name, shot.name, shot.remark)

    def _encoded(self, name: str) -> str:
        place = self._places.get(name)
        if place is None:
            return ""
        out = BytesIO()
        try:
            data = self._files.read(place, self._limits.bytes)
            with warnings.catch_warnings(), Image.open(BytesIO(data)) as image:
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                if image.width * image.height > self._limits.pixels:
                    return ""
                small_rgb(image, _SIDE).save(out, "JPEG", quality=_QUALITY)
        except (Unusable, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            return ""
        return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii")
