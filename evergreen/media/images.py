"""One image as a row: what its header says, measures of its pixels, a perceptual signature.

Pixels are measured on the image turned upright and scaled so that its longer side has at most 512 pixels:
the measures of a photograph and of its thumbnail can then be compared, and a JPEG is decoded at that scale.
Of several frames the first is measured.
"""

import hashlib
from functools import cache
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

import imagehash
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from evergreen.media import pixels
from evergreen.media.limits import Limits, Unusable

SIDE = 512
COLUMNS = {
    "format": "string", "mismatch": "bool", "width": "int64", "height": "int64", "aspect": "double",
    "mode": "string", "channels": "int64", "animated": "bool", "has_exif": "bool", "has_location": "bool",
    "orientation": "int64", "brightness": "double", "brightness_std": "double", "contrast": "double",
    "saturation": "double", "laplacian_variance": "double", "entropy": "double", "dhash": "string",
    "phash": "string",
}  # fmt: skip
"""The columns that only images have, and their Arrow types."""
_FLAT = 4.0
_ORIENTATION, _GPS = 0x0112, 0x8825


def describe_image(data: bytes, name: str, limits: Limits) -> tuple[dict[str, Any], bytes | None]:
    """The row of one image, and its signature for near duplicates.

    Args:
        data: The file.
        name: Its path; the suffix is compared with the content.
        limits: What may be decoded.

    Returns:
        Columns by name (those of `COLUMNS` and `error`; lengths in pixels, measures as their formulas say),
        and 16 bytes: difference hash (Krawetz 2013) and perceptual hash by DCT (Zauner 2010), 64 bits each.
        None for an image of one tone, whose hashes say nothing, and for one that cannot be decoded.
    """
    row: dict[str, Any] = {}
    try:
        with _opened(data) as image:
            row |= _header(image, name)
            if image.width * image.height > limits.pixels:
                raise Unusable(f"too many pixels: more than {limits.pixels:,}")
            row |= _metadata(image)
            return _measured(image, row)
    except Unusable as reason:
        return {**row, "error": str(reason)}, None
    except Image.DecompressionBombError:
        return {**row, "error": "too many pixels: more than the decoder takes"}, None
    except Exception as error:  # noqa: BLE001 - decoders raise errors of any type on broken bytes
        return {**row, "error": _reason(error)}, None


def _opened(data: bytes) -> Image.Image:
    if not data:
        raise Unusable("empty: 0 bytes")
    try:
        return Image.open(BytesIO(data))
    except UnidentifiedImageError:
        begins = _begins_as(data[:32])
        raise Unusable(f"corrupt: begins as {begins}" if begins else "not an image") from None


def _begins_as(head: bytes) -> str:
    """The format whose first bytes these are; only formats that their first bytes tell apart."""
    known = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG", "GIF": b"GIF8", "BMP": b"BM", "TIFF": b"II*\0"}
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return next((name for name, magic in known.items() if head.startswith(magic)), "")


def _reason(error: Exception) -> str:
    words = str(error).lower()
    return "truncated" if "truncat" in words or "unexpected end" in words else "corrupt: cannot be decoded"


@cache
def _formats() -> dict[str, str]:
    return Image.registered_extensions()


def _header(image: Image.Image, name: str) -> dict[str, Any]:
    """What the file says about itself; nothing of its metadata's content is kept."""
    promised = _formats().get(PurePosixPath(name).suffix.lower())
    same = {"JPEG": "JPEG", "MPO": "JPEG", "JPEG2000": "JPEG2000"}
    found = image.format or ""
    return {
        "format": found,
        "mismatch": promised is not None and same.get(promised, promised) != same.get(found, found),
        "width": image.width,
        "height": image.height,
        "aspect": image.width / image.height if image.height else None,
        "mode": image.mode,
        "channels": len(image.getbands()),
    }


def _metadata(image: Image.Image) -> dict[str, Any]:
    """What decodes a part of the file, and so comes after the check of its size."""
    exif = image.getexif()
    return {
        "animated": bool(getattr(image, "is_animated", False)),
        "has_exif": len(exif) > 0,
        "has_location": _GPS in exif,
        "orientation": _orientation(exif.get(_ORIENTATION)),
    }


def _orientation(value: object) -> int | None:
    return value if isinstance(value, int) and 1 <= value <= 8 else None


def small_rgb(image: Image.Image, side: int = SIDE) -> Image.Image:
    """The first frame upright, in RGB on white, its longer side at most `side` pixels."""
    image.draft("RGB", (side, side))
    image.load()
    scaled = _eight_bit(image)
    scaled.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    if "A" in scaled.getbands() or "transparency" in scaled.info:
        with_alpha = scaled.convert("RGBA")
        ground = Image.new("RGBA", with_alpha.size, "white")
        scaled = Image.alpha_composite(ground, with_alpha)
    return ImageOps.exif_transpose(scaled).convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Sixteen-bit and floating-point greys brought to 0 to 255; Pillow would cut them off."""
    if not image.mode.startswith(("I", "F")):
        return (
            image.convert("RGBA" if "transparency" in image.info else "RGB") if image.mode == "P" else image
        )
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
    top = 65535.0 if image.mode.startswith("I;16") else max(float(values.max(initial=0.0)), 1e-12)
    top = 65535.0 if image.mode == "I" and top > 255 else top
    return Image.fromarray(np.clip(values / top * 255, 0, 255).astype(np.uint8))


def _measured(image: Image.Image, row: dict[str, Any]) -> tuple[dict[str, Any], bytes | None]:
    small = small_rgb(image)
    rgb = np.asarray(small, dtype=np.float32)
    luma = pixels.luminance(rgb)
    difference, perceptual = (_bits(h) for h in (imagehash.dhash(small), imagehash.phash(small)))
    deviation = float(luma.std(dtype=np.float64))
    measures = {
        "brightness": float(luma.mean(dtype=np.float64)) / 255,
        "brightness_std": deviation / 255,
        "contrast": pixels.contrast(luma),
        "saturation": pixels.saturation(rgb),
        "laplacian_variance": pixels.laplacian_variance(luma),
        "entropy": pixels.entropy(luma),
        "dhash": difference.hex(),
        "phash": perceptual.hex(),
    }
    signature = difference + perceptual if deviation >= _FLAT else None
    return {**row, **{k: round(v, 6) if isinstance(v, float) else v for k, v in measures.items()}}, signature


def _bits(found: Any) -> bytes:
    return np.packbits(found.hash.ravel()).tobytes()


def sha256(data: bytes) -> bytes:
    """The digest that tells exact duplicates."""
    return hashlib.sha256(data).digest()
