"""Texts as rows: encodings, faults, counts, languages, near duplicates."""

import contextlib
import importlib.metadata
import json
from pathlib import Path

import duckdb
import pytest
import sklearn.datasets
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.cli.__main__ import run
from evergreen.errors import DataError
from evergreen.ingest.locate import locate
from evergreen.media.decode import decode
from evergreen.media.limits import Limits, Unusable
from evergreen.media.stage import stage_media
from evergreen.media.texts import COLUMNS, describe_text, measure
from evergreen.project.model import Media, Source

GERMAN = "Äpfel, Birnen und Quitten reifen spät im Jahr. Man kocht daraus süßes Mus – für den Winter!\n"
RUSSIAN = "Погода сегодня хорошая, и мы идём гулять в парк. Вечером будет дождь.\n"


def described(data: bytes, **limits) -> dict:
    return describe_text(data, "x.txt", Limits(**limits))[0]


@pytest.mark.parametrize(
    "text,encoding,found",
    [
        (GERMAN, "utf-8", "utf-8"), (GERMAN, "utf-8-sig", "utf-8"), (GERMAN, "cp1252", "cp1252"),
        (GERMAN, "utf-16", "utf-16"), (GERMAN, "utf-16-le", "utf-16-le"), (RUSSIAN, "utf-16-be", "utf-16-be"),
        (RUSSIAN, "utf-32", "utf-32"), ("plain words here", "ascii", "ascii"),
    ],
)  # fmt: skip
def test_the_encoding_is_found(text, encoding, found):
    decoded = decode(text.encode(encoding))
    assert (decoded.text, decoded.encoding, decoded.faults) == (text, found, 0)


@pytest.mark.slow
def test_faults_are_counted():
    broken = GERMAN.encode() * 5 + b"\xff\xfe and \xc3"
    row = described(broken)
    assert row["encoding"] == "utf-8" and row["decode_faults"] == 3 and row["replacement_chars"] == 0
    assert described(("lost \ufffd\ufffd here, " + GERMAN).encode())["replacement_chars"] == 2
    mojibake = GERMAN.encode().decode("cp1252", errors="ignore").encode()
    assert described(mojibake)["mojibake"] >= 3 and described(GERMAN.encode())["mojibake"] == 0
    assert described("Привет, мир и все".encode("koi8-r"), encoding="koi8-r")["decode_faults"] == 0


@pytest.mark.parametrize("data,reason", [
    (b"", "empty: 0 bytes"), (b"\x89PNG\r\n\x1a\n", "binary: not a text"),
    (bytes(range(256)) * 8, "binary: not a text"), (b"PK\x03\x04abc", "binary: not a text"),
])  # fmt: skip
def test_what_is_no_text(data, reason):
    assert described(data) == {"error": reason}


def test_counts_by_hand():
    row = measure(
        "Don't panic! See https://example.org/a?b=1 or mail a.b@example.org.\n\nYes.\nYes.\n"
        "  Yes.\n日本語です。 3 7\n"
    )
    assert (row["urls"], row["emails"], row["lines"]) == (1, 1, 6)
    assert row["repeated_line_share"] == 0.4
    short = measure("One two. Three!")
    assert (short["words"], short["tokens"], short["sentences"], short["words_per_sentence"]) == (
        3,
        5,
        2,
        1.5,
    )
    assert measure("日本語です")["words"] == 5 and measure("Hi")["language"] is None
    assert measure("ABc 12")["upper_share"] == pytest.approx(2 / 3, abs=1e-6)
    assert measure("ab12")["digit_share"] == 0.5 and measure("ab12")["non_letter_share"] == 0.5


@pytest.mark.parametrize(
    "text,language",
    [(GERMAN, "de"), (RUSSIAN, "ru"), ("The weather is fine today, so we walk.", "en")],
)
def test_the_language(text, language):
    row = measure(text)
    assert row["language"] == language and row["language_confidence"] > 0.8


@given(st.binary(max_size=400))
@settings(max_examples=80, deadline=None)
def test_no_bytes_raise(data):
    with contextlib.suppress(Unusable):
        decode(data)
    assert set(described(data)) <= {*COLUMNS, "error"}


@given(st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_shares_are_shares(text):
    row = measure(text)
    for name in ("non_letter_share", "digit_share", "upper_share", "repeated_line_share"):
        assert row[name] is None or -1e-9 <= row[name] <= 1
    assert row["tokens"] >= row["words"] and row["sentences"] <= max(1, row["chars"])


def write_texts(folder: Path) -> None:
    """scikit-learn's descriptions of its data sets: one twice, one with a line more; and one in latin-1."""
    folder.mkdir()
    for path in sorted((Path(sklearn.datasets.__file__).parent / "descr").glob("*.rst")):
        (folder / path.name).write_bytes(path.read_bytes())
    iris = (folder / "iris.rst").read_text()
    (folder / "zz_copy.txt").write_text(iris)
    (folder / "zz_more.txt").write_text(iris + "\nOne line more than before.\n")
    (folder / "zz_german.txt").write_bytes((GERMAN * 3).encode("latin-1", "replace"))
    (folder / "zz_image.txt").write_bytes(b"\xff\xd8\xff\xe0")


def test_the_command(tmp_path, capsys):
    write_texts(tmp_path / "texts")
    out = tmp_path / "t.parquet"
    assert (
        run(
            [
                "media",
                str(tmp_path / "texts"),
                "--out",
                str(out),
                "--report",
                str(tmp_path / "r.html"),
                "--json",
            ]
        )
        == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert told["failed"] == 1 and {f["rule"] for f in told["findings"]} >= {
        "unreadable",
        "duplicates",
        "near duplicates",
    }
    columns = "path, duplicate_of, near_duplicate_of, language, encoding"
    rows = {r[0]: r[1:] for r in duckdb.sql(f"SELECT {columns} FROM '{out}'").fetchall()}
    assert rows["zz_copy.txt"][:2] == ("iris.rst", "iris.rst")
    assert rows["zz_more.txt"][:2] == (None, "iris.rst")
    assert rows["zz_german.txt"][2:] == ("de", "cp1252") and rows["wine_data.rst"][2] == "en"
    assert rows["wine_data.rst"][1] is None
    assert "zz_image.txt" in (tmp_path / "r.html").read_text()


def test_texts_of_a_column(tmp_path, capsys):
    names = [d.metadata["Summary"] for d in importlib.metadata.distributions()][:60]
    table = tmp_path / "t.csv"
    duckdb.sql(
        "SELECT unnest($names) AS words, 1 AS n", params={"names": [*names, None, GERMAN * 2, GERMAN * 2]}
    ).write_csv(str(table))
    out = tmp_path / "o.parquet"
    assert run(["media", str(table), "--out", str(out), "--text-column", "words"]) == 0
    found = duckdb.sql(
        f"SELECT path, duplicate_of, language, error FROM '{out}' ORDER BY path::INT"
    ).fetchall()
    assert len(found) == len(names) + 3 and found[-3][3] == "no value"
    assert found[-1][:3] == (str(len(found)), str(len(found) - 1), "de")
    assert run(["media", str(table), "--out", str(out), "--text-column", "n"]) == 2
    assert run(["media", str(table), "--out", str(out), "--text-column", "word"]) == 2
    capsys.readouterr()
    assert run(["media", str(table), "--out", str(out)]) == 2
    assert "--text-column" in capsys.readouterr().err


def test_options_and_limits(tmp_path):
    write_texts(tmp_path / "texts")
    source = Source(path=str(tmp_path / "texts"), format="texts", media=Media(max_bytes="0.001MiB"))
    staged = stage_media(source, locate("s", source).files, tmp_path / "o.parquet")
    errors = duckdb.sql(f"SELECT count(*) FROM '{staged.path}' WHERE error LIKE 'too large%'").fetchall()[0][
        0
    ]
    assert errors >= 10
    with pytest.raises(DataError, match="settings under `media`"):
        odd = Source(path=str(tmp_path / "texts"), format="texts", options={"encoding": "x"})
        stage_media(odd, locate("s", odd).files, tmp_path / "o.parquet")
    with pytest.raises(ValueError, match="format: images"):
        Source(path="x", media=Media())


def test_spans_and_labels_come_from_the_path(tmp_path):
    for day, topic in (("2026-01-01", "a"), ("2026-01-02", "b")):
        (tmp_path / f"day={day}" / topic).mkdir(parents=True)
        (tmp_path / f"day={day}" / topic / "x.txt").write_text(GERMAN)
    path = str(tmp_path / "day={YYYY}-{MM}-{DD}")
    source = Source(path=path, format="texts", media=Media(label_from="folder"))
    staged = stage_media(source, locate("s", source).files, tmp_path / "o.parquet")
    rows = duckdb.sql(f"SELECT path, span, label FROM '{staged.path}'").fetchall()
    assert rows == [
        ("day=2026-01-01/a/x.txt", "2026-01-01", "a"),
        ("day=2026-01-02/b/x.txt", "2026-01-02", "b"),
    ]
