"""Pictures and texts for the tests: scikit-learn's photographs, and what can go wrong with a file."""

import struct
import zlib
from pathlib import Path

import numpy as np
import sklearn.datasets
from PIL import Image, ImageFilter

PHOTOS = Path(sklearn.datasets.__file__).parent / "images"
CHINA = (PHOTOS / "china.jpg").read_bytes()


def bomb(side: int) -> bytes:
    """A small PNG that says it has side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")


def album(folder: Path) -> Path:
    """Two folders: photographs in every state, and digits."""
    photos, digits = folder / "ph ötos", folder / "<digits>"
    photos.mkdir(parents=True)
    digits.mkdir()
    china = Image.open(PHOTOS / "china.jpg")
    (photos / "a.jpg").write_bytes(CHINA)
    (photos / "copy.jpg").write_bytes(CHINA)
    china.save(photos / "q40.jpg", quality=40)
    china.resize((320, 213)).save(photos / "small.png")
    china.filter(ImageFilter.GaussianBlur(6)).save(photos / "blurred.jpg")
    Image.eval(china, lambda v: v // 12).save(photos / "dark.webp")
    Image.open(PHOTOS / "flower.jpg").save(photos / "flower.png")
    china.save(photos / "wrong.png", "JPEG")
    Image.new("RGB", (64, 64), "black").save(photos / "black.png")
    Image.new("RGB", (64, 64), "white").save(photos / "white.png")
    (photos / "cut.jpg").write_bytes(CHINA[: len(CHINA) // 2])
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "notes.txt").write_text("no picture")
    (photos / "head.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    (photos / "bomb.png").write_bytes(bomb(12_000))
    (photos / "bomb2.png").write_bytes(bomb(20_000))
    bunch = sklearn.datasets.load_digits()
    for k in range(40):
        Image.fromarray((bunch.images[k] * 15.9).astype(np.uint8)).save(digits / f"{k:03d}.png")
    return folder
