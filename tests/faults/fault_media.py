"""Faults in folders of images and texts, which `evergreen media` and `validate` of its table must find."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from fault_gates import media
from fault_world import Fault, Random, generator, journey
from PIL import Image, ImageFilter

from evergreen.findings import Finding

Image_ = Image.Image
PATCHES, SIDE = 60, 96


@lru_cache
def photographs() -> tuple[np.ndarray, ...]:
    """The two photographs of scikit-learn, a Chinese temple and a flower: [height, width, 3]."""
    from sklearn.datasets import load_sample_images

    return tuple(load_sample_images().images)


def patches(rng: Random) -> list[Image_]:
    """Squares cut out of the photographs."""
    found = []
    for k in range(PATCHES):
        photo = photographs()[k % 2]
        top, left = (int(rng.integers(0, size - SIDE)) for size in photo.shape[:2])
        found.append(Image.fromarray(photo[top : top + SIDE, left : left + SIDE]))
    return found


def texts(rng: Random) -> list[bytes]:
    """Descriptions of articles, a few in each text."""
    kinds = journey("products")["product_type"].dropna().unique()
    return ["; ".join(rng.choice(kinds, 25)).lower().encode() for _ in range(PATCHES)]


def store(folder: Path, files: Sequence[Image_ | bytes], ending: str) -> Path:
    """Write files under numbers."""
    folder.mkdir()
    for k, content in enumerate(files):
        path = folder / f"{k:03d}.{ending}"
        path.write_bytes(content) if isinstance(content, bytes) else content.save(path, quality=92)
    return folder


def fault(
    family: str, name: str, change: Callable[[list, Random], list], columns: Sequence[str],
    rules: Sequence[str], kind: str = "images",
) -> Fault:  # fmt: skip
    """A fault in the second of two folders."""

    def run(folder: Path, seed: int) -> Sequence[Finding]:
        rng = generator(seed)
        make, ending = (patches, "jpg") if kind == "images" else (texts, "txt")
        before = store(folder / "yesterday", make(rng), ending)
        return media(folder, before, store(folder / "today", change(make(rng), rng), ending))

    return Fault(name, family, "media", kind, tuple(columns), tuple(rules), run)


def some(change: Callable, share: float) -> Callable[[list, Random], list]:
    """A change in every so-many-th file."""
    every = round(1 / share)
    return lambda files, rng: [change(f) if k % every == 0 else f for k, f in enumerate(files)]


def blank(image: Image_) -> Image_:
    """One tone."""
    return Image.new("RGB", image.size, (120, 120, 120))


def blurred(image: Image_) -> Image_:
    """Out of focus."""
    return image.filter(ImageFilter.GaussianBlur(4))


def dark(image: Image_) -> Image_:
    """A third of the light."""
    return image.point(lambda v: v // 3)


def cp1252(content: bytes) -> bytes:
    """Accents that were decoded wrongly somewhere on the way."""
    return content.replace(b"e", "é".encode().decode("cp1252").encode())


MEDIA = (
    fault("media", "a tenth of the images blank", some(blank, 0.1), ("brightness_std",), ("one tone",)),
    fault("media", "all images out of focus", some(blurred, 1.0), ("laplacian_variance",),
          ("drift", "extremes")),
    fault("media", "all images underexposed", some(dark, 1.0), ("brightness",), ("drift", "extremes")),
    fault("media", "grey images among coloured ones", some(lambda i: i.convert("L"), 0.25), ("mode",),
          ("constant", "domain", "new values", "drift", "values")),
    fault("media", "files cut short", lambda files, r: [*files[:55], *[b"\xff\xd8\xff\xe0 cut"] * 5],
          ("error",),
          ("unreadable",)),
    fault("media", "the same image twice", lambda files, r: [*files, *files[:6]], ("sha256",),
          ("duplicates",)),
    fault("media", "texts decoded wrongly", some(cp1252, 0.2), ("mojibake",), ("mojibake",), "texts"),
    fault("media", "empty texts", some(lambda t: b"", 0.1), ("error", "words"), ("unreadable", "missing"),
          "texts"),
)  # fmt: skip


def clean_images(folder: Path, seed: int) -> Sequence[Finding]:
    """Two folders of squares out of the same photographs."""
    rng = generator(seed)
    return media(folder, store(folder / "a", patches(rng), "jpg"), store(folder / "b", patches(rng), "jpg"))


def clean_texts(folder: Path, seed: int) -> Sequence[Finding]:
    """Two folders of descriptions of the same articles."""
    rng = generator(seed)
    return media(folder, store(folder / "a", texts(rng), "txt"), store(folder / "b", texts(rng), "txt"))
