"""Images as rows: what is measured, what is refused, what is a duplicate."""

import json
from io import BytesIO
from pathlib import Path

import duckdb
import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import CHINA, album
from PIL import Image

from evergreen.cli.__main__ import run
from evergreen.errors import DataError, InputError
from evergreen.ingest.ingest import ingest
from evergreen.ingest.locate import Found
from evergreen.media.describe import describe_files
from evergreen.media.files import Files
from evergreen.media.images import COLUMNS, describe_image
from evergreen.media.limits import Limits
from evergreen.media.task import describe_source
from evergreen.profile.counting.statistics import profile_table
from evergreen.project import parse_project
from evergreen.project.model import Media
from evergreen.storage.interface import local_files

PROJECT = """
name: pics
sources:
  photos: {path: ALBUM, format: images, media: {label_from: folder}}
  table: {path: rows.csv}
label: {source: photos, column: label}
features: [{name: look, source: photos, columns: [brightness, contrast, entropy]}]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return album(tmp_path_factory.mktemp("album"))


def described(folder: Path, out: Path, media: Media | None = None, threads: int = 2) -> dict[str, dict]:
    files = Files.of([Found(str(folder / n), 0) for n in local_files(folder)])
    describe_files(files, "images", media or Media(), out, threads=threads)
    relation = duckdb.sql(f"SELECT * FROM '{out}'")
    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    return {row["path"].split("/")[-1].split(".")[0]: row for row in rows}


@pytest.fixture(scope="module")
def rows(folder, tmp_path_factory):
    return described(folder, tmp_path_factory.mktemp("out") / "t.parquet")


def encoded(image: Image.Image, form: str = "PNG", **more) -> bytes:
    out = BytesIO()
    image.save(out, form, **more)
    return out.getvalue()


def test_every_file_is_a_row_with_its_fault(rows):
    errors = {name: row["error"] for name, row in rows.items() if row["error"]}
    assert errors == {
        "cut": "truncated",
        "empty": "empty: 0 bytes",
        "notes": "not an image",
        "head": "corrupt: begins as PNG",
        "bomb": "too many pixels: more than 89,000,000",
        "bomb2": "too many pixels: more than the decoder takes",
    }
    assert len(rows) == 56 and rows["bomb"]["width"] == 12_000 and rows["cut"]["width"] == 640


def test_measures_order_pictures_as_eyes_do(rows):
    assert rows["blurred"]["laplacian_variance"] < rows["a"]["laplacian_variance"] / 50
    assert rows["dark"]["brightness"] < 0.1 < rows["a"]["brightness"] < 0.9
    assert (rows["black"]["brightness"], rows["white"]["brightness"]) == (0.0, 1.0)
    assert rows["black"]["entropy"] == 0 and rows["flower"]["saturation"] > rows["a"]["saturation"]
    assert (rows["a"]["width"], rows["a"]["height"], rows["a"]["mode"]) == (640, 427, "RGB")
    assert rows["wrong"]["mismatch"] and rows["wrong"]["format"] == "JPEG" and not rows["a"]["mismatch"]
    assert rows["000"]["mode"] == "L" and rows["000"]["width"] == 8


def test_duplicates_exact_and_near(rows):
    assert rows["copy"]["duplicate_of"] == rows["a"]["path"] and rows["a"]["duplicate_of"] is None
    near = {n for n, r in rows.items() if r["near_group"] == rows["a"]["near_group"]}
    assert near == {"a", "copy", "q40", "small", "blurred", "wrong"}
    assert rows["q40"]["near_duplicate_of"] == rows["a"]["path"]
    alone = {"black", "white", "dark", "flower", "empty", *(f"{k:03d}" for k in range(40))} - {"dark"}
    assert not {n for n in alone if rows[n]["near_group"]}, "flat pictures and digits are no near duplicates"


def test_the_same_bytes_whatever_the_threads(folder, tmp_path):
    for threads in (1, 3):
        described(folder, tmp_path / f"{threads}.parquet", threads=threads)
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "3.parquet").read_bytes()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F"])
def test_every_mode_is_measured(mode):
    ramp = np.tile(np.arange(0, 256, dtype=np.uint8), (64, 1))
    if mode in ("I", "I;16", "F"):
        dtype = {"I": np.int32, "I;16": np.uint16, "F": np.float32}[mode]
        image = Image.fromarray((ramp.astype(np.float64) * 256).astype(dtype))
    else:
        image = Image.fromarray(ramp).convert(mode)
    form = "TIFF" if mode in ("CMYK", "YCbCr", "F", "I", "I;16") else "PNG"
    row, signature = describe_image(encoded(image, form), f"x.{form.lower()}", Limits())
    assert "error" not in row and signature is not None and row["mode"] == mode
    assert 0.4 < row["brightness"] < 0.6, row["brightness"]


def test_metadata_is_told_and_not_kept():
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    image = Image.fromarray(np.tile(np.arange(0, 200, dtype=np.uint8), (50, 1)))
    row, _ = describe_image(encoded(image, "JPEG", exif=exif), "x.jpg", Limits())
    assert (row["has_exif"], row["orientation"], row["has_location"]) == (True, 6, True)
    assert set(row) <= {*COLUMNS, "error"}


def test_hashes_are_imagehashs():
    image = Image.open(BytesIO(CHINA)).resize((400, 300))
    row, _ = describe_image(encoded(image), "x.png", Limits())
    assert row["dhash"] == str(imagehash.dhash(image)) and row["phash"] == str(imagehash.phash(image))


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=12), st.integers(0, 3000))
@settings(max_examples=60, deadline=None)
def test_broken_bytes_never_raise(changes, length):
    data = bytearray(encoded(Image.open(BytesIO(CHINA)).resize((48, 32)), "PNG"))
    for place, value in changes:
        data[place % len(data)] = value
    row, _ = describe_image(bytes(data[: length or None]), "x.png", Limits())
    assert row.get("error") or row["width"] == 48 or row["height"] == 32 or "width" in row


@pytest.mark.slow
def test_a_source_of_images_through_ingestion(folder, tmp_path):
    project = parse_project(PROJECT.replace("ALBUM", json.dumps(str(folder))))
    made = describe_source(project, "photos", tmp_path / "media", tmp_path / "r.html")
    assert made.digest == ingest(project, tmp_path / "tables", only=["photos"]).sources["photos"].digest
    assert {f.rule for f in made.findings} == {
        "unreadable",
        "duplicates",
        "near duplicates",
        "content",
        "one tone",
    }
    meta = json.loads((tmp_path / "media" / "meta.json").read_text())
    assert (meta["label"], meta["key"], meta["rows"]) == ("label", ["path"], 56)
    assert profile_table(tmp_path / "media").rows == 56
    html = (tmp_path / "r.html").read_text()
    assert html.count("data:image/jpeg;base64,") >= 20 and "<digits>" not in html and "&lt;digits&gt;" in html
    assert len(html) < 400_000
    for name, message in (("phots", "Did you mean 'photos'"), ("table", "`images` or `texts`")):
        with pytest.raises(InputError, match=message):
            describe_source(project, name, tmp_path / "m", tmp_path / "r.html")


def test_a_folder_without_one_image_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_text("text")
    project = parse_project(PROJECT.replace("ALBUM", json.dumps(str(tmp_path / "in"))))
    with pytest.raises(DataError, match=r"not one of 1 files.*a.jpg: not an image.*format: texts"):
        describe_source(project, "photos", tmp_path / "media", tmp_path / "r.html")
    assert "not an image" in (tmp_path / "r.html").read_text() and not (tmp_path / "media").exists()


def test_the_command(folder, tmp_path, capsys):
    out = tmp_path / "t.parquet"
    assert run(["media", str(folder), "--out", str(out), "--labels", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == 56 and told["failed"] == 6
    assert {f["rule"] for f in told["findings"]} >= {"unreadable", "duplicates"}
    labels = duckdb.sql(f"SELECT label, count(*) FROM '{out}' GROUP BY 1 ORDER BY 1").fetchall()
    assert labels == [("<digits>", 40), ("ph ötos", 16)]
    assert run(["media", str(tmp_path / "nope"), "--out", str(out)]) == 2
    assert run(["media", str(folder), "--out", str(out), "--kind", "films"]) == 2
    (tmp_path / "void").mkdir()
    assert run(["media", str(tmp_path / "void"), "--out", str(out)]) == 2
