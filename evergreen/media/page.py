"""The report of a folder of images or texts: counts, charts, the worst files in pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from evergreen.findings import Finding
from evergreen.media.thumbnails import Gallery, Shot
from evergreen.reports import charts
from evergreen.reports.page import Section, chip, figure, note, page, table, text, tiles
from evergreen.reports.text import number, percent, size
from evergreen.tables import columns, identifier, literal, scan

_BINS, _SHOTS, _LINES = 20, 8, 50
_IMAGE_CHARTS = (
    ("brightness", "Brightness", "0 is black, 1 is white."),
    ("contrast", "Contrast", "98th minus 2nd percentile of the luminance."),
    ("laplacian_variance", "Variance of the Laplacian", "Low: blurred, or little in it. Scale of tens."),
    ("entropy", "Entropy", "Bits; 0 is one tone, 8 the most there can be."),
)  # fmt: skip
_TEXT_CHARTS = (
    ("words", "Words", "Scale of powers of ten."),
    ("words_per_sentence", "Words in a sentence", "Scale of powers of ten."),
    ("non_letter_share", "Share that is no letter", "Of the characters, without white space."),
    ("repeated_line_share", "Share of repeated lines", "Of the lines that are not blank."),
)
_LOG = {"laplacian_variance", "words", "words_per_sentence"}


@dataclass(frozen=True)
class Shown:
    """What a page is about.

    Attributes:
        title: The project's or the folder's name.
        kind: `images` or `texts`.
        table: The table's Parquet.
        findings: What is wrong with it.
        gallery: Draws thumbnails; None without pictures.
    """

    title: str
    kind: str
    table: Path
    findings: Sequence[Finding]
    gallery: Gallery | None = None


def media_page(con: duckdb.DuckDBPyConnection, shown: Shown) -> str:
    """The page of `describe_media`."""
    source = scan(shown.table)
    names = list(columns(con, source))
    sections = [
        Section("Overview", [_tiles(con, source)]),
        Section("Findings", _findings(shown.findings)),
        Section("What they are", _what(con, source, shown.kind, "label" in names)),
        Section("Measures", _measures(con, source, shown.kind)),
        Section("Look at these", _pictures(con, source, shown)),
        Section("Files that could not be described", _errors(con, source)),
    ]
    status = "warn" if shown.findings else "pass"
    return page(f"Described {shown.kind}", sections, subtitle=shown.title, status=status)  # type: ignore[arg-type]


def _tiles(con: duckdb.DuckDBPyConnection, source: str) -> str:
    ((rows, failed, total, exact, near, groups),) = con.execute(
        "SELECT count(*), count(error), sum(bytes), count(duplicate_of), count(near_duplicate_of), "
        f"count(DISTINCT near_group) FROM {source}"
    ).fetchall()
    return tiles(
        {
            "Files": rows,
            "Size": size(int(total or 0)),
            "Not described": (failed, percent(failed / rows) if rows else ""),
            "Exact duplicates": exact,
            "Near or exact duplicates": (near, f"in {number(groups)} groups"),
        }
    )


def _findings(findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return [note("Nothing was found.", "pass")]
    rows = [(chip(f.severity), f.rule, f.reason, ", ".join(f.keys)) for f in findings]
    return [table(["", "Rule", "What", "Such as"], rows)]


def _what(con: duckdb.DuckDBPyConnection, source: str, kind: str, labelled: bool) -> list[str]:
    wanted = ["label"] if labelled else []
    wanted += ["format", "mode", "extension"] if kind == "images" else ["language", "encoding", "extension"]
    blocks: list[str] = []
    for column in wanted:
        name = identifier(column)
        rows = con.execute(
            f"SELECT coalesce(nullif({name}, ''), '(none)') AS v, count(*) AS n FROM {source} GROUP BY 1 "
            "ORDER BY n DESC, v LIMIT 12"
        ).fetchall()
        blocks.append(figure(charts.bars([str(v) for v, _ in rows], [float(n) for _, n in rows],
                                         f"Files by {column}")))  # fmt: skip
    if kind == "images":
        blocks += _sizes(con, source)
    return blocks


def _sizes(con: duckdb.DuckDBPyConnection, source: str) -> list[str]:
    rows = con.execute(
        f"SELECT width, height, count(*) FROM {source} WHERE error IS NULL GROUP BY ALL "
        "ORDER BY count(*) DESC, width, height LIMIT 400"
    ).fetchall()
    if not rows:
        return []
    drawn = charts.points({"files": [(float(w), float(h)) for w, h, _ in rows]}, "width", "height", "Sizes")
    common = ", ".join(f"{w}×{h} ({number(n)})" for w, h, n in rows[:3])
    return [figure(drawn, f"A dot for each size. Most common: {common}.")]


def _measures(con: duckdb.DuckDBPyConnection, source: str, kind: str) -> list[str]:
    blocks: list[str] = []
    for column, title, remark in _IMAGE_CHARTS if kind == "images" else _TEXT_CHARTS:
        bins = _binned(con, source, column)
        if bins:
            labels, shares = bins
            blocks.append(
                figure(charts.histogram(labels, {"files": shares}, title), f"Share of files. {remark}")
            )
    return blocks


def _binned(con: duckdb.DuckDBPyConnection, source: str, column: str) -> tuple[list[str], list[float]] | None:
    value = f"{identifier(column)}::DOUBLE"
    value = f"log10(1 + {value})" if column in _LOG else value
    ((low, high, count),) = con.execute(
        f"SELECT min(v), max(v), count(v) FROM (SELECT {value} AS v FROM {source})"
    ).fetchall()
    if not count:
        return None
    width = (high - low) / _BINS or 1.0
    place = f"least(floor((v - {literal(low)}) / {literal(width)})::INTEGER, {_BINS - 1})"
    found = dict(con.execute(
        f"SELECT {place} AS k, count(*) FROM (SELECT {value} AS v FROM {source}) "
        "WHERE v IS NOT NULL GROUP BY 1"
    ).fetchall())  # fmt: skip
    edges = [low + width * k for k in range(_BINS)]
    shown = [10**e - 1 if column in _LOG else e for e in edges]
    return [f"{e:.3g}" if e < 1000 else f"{e:,.0f}" for e in shown], [
        found.get(k, 0) / count for k in range(_BINS)
    ]


def _pictures(con: duckdb.DuckDBPyConnection, source: str, shown: Shown) -> list[str]:
    if shown.kind == "texts":
        return _worst_texts(con, source)
    if shown.gallery is None:
        return []
    strips = [
        shown.gallery.strip(title, _shots(con, source, column, order))
        for title, column, order in (
            ("Darkest", "brightness", "ASC"),
            ("Brightest", "brightness", "DESC"),
            ("Blurriest", "laplacian_variance", "ASC"),
            ("Least contrast", "contrast", "ASC"),
        )
    ]
    strips += [shown.gallery.strip(title, shots) for title, shots in _groups(con, source)]
    kept: list[str] = [s for s in strips if s]
    return [text("The extremes of each measure; whether they are faults, a person sees at once."), *kept]


def _shots(con: duckdb.DuckDBPyConnection, source: str, column: str, order: str) -> list[Shot]:
    rows = con.execute(
        f"SELECT path, {column} FROM {source} WHERE {column} IS NOT NULL AND duplicate_of IS NULL "
        f"ORDER BY {column} {order}, path LIMIT {_SHOTS}"
    ).fetchall()
    return [Shot(path, number(value)) for path, value in rows]


def _groups(con: duckdb.DuckDBPyConnection, source: str) -> list[tuple[str, list[Shot]]]:
    """The three largest groups of near duplicates."""
    largest = con.execute(
        f"SELECT near_group, count(*) AS n FROM {source} WHERE near_group IS NOT NULL GROUP BY 1 "
        "ORDER BY n DESC, near_group LIMIT 3"
    ).fetchall()
    found = []
    for group, count in largest:
        rows = con.execute(
            f"SELECT path, duplicate_of IS NOT NULL FROM {source} WHERE near_group = {literal(group)} "
            f"ORDER BY path LIMIT {_SHOTS}"
        ).fetchall()
        shots = [Shot(path, "same bytes as another" if exact else "") for path, exact in rows]
        found.append((f"Near duplicates: a group of {number(count)}", shots))
    return found


def _worst_texts(con: duckdb.DuckDBPyConnection, source: str) -> list[str]:
    """The texts with the most faults: names and counts, never their content."""
    faults = "decode_faults + replacement_chars + mojibake + control_chars"
    wanted = ["path", "encoding", "decode_faults", "replacement_chars", "mojibake", "control_chars"]
    rows = con.execute(
        f"SELECT {', '.join(wanted)} FROM {source} WHERE {faults} > 0 "
        f"ORDER BY {faults} DESC, path LIMIT {_LINES}"
    ).fetchall()
    heads = ["File", "Encoding", "Decoding faults", "Lost characters", "Mojibake", "Control characters"]
    most = table(heads, rows, numeric={2, 3, 4, 5}) if rows else note("No text has encoding faults.", "pass")
    groups = con.execute(
        f"SELECT count(*) AS n, min(path), max(path) FROM {source} WHERE near_group IS NOT NULL "
        "GROUP BY near_group ORDER BY n DESC, near_group LIMIT 20"
    ).fetchall()
    found: list[Any] = [table(["Near duplicates", "First", "Last"], groups, numeric={0})] if groups else []
    return [most, *found]


def _errors(con: duckdb.DuckDBPyConnection, source: str) -> list[str]:
    rows = con.execute(
        f"SELECT path, bytes, error FROM {source} WHERE error IS NOT NULL ORDER BY error, path LIMIT {_LINES}"
    ).fetchall()
    return [table(["File", "Bytes", "Why"], rows, numeric={1})] if rows else []
