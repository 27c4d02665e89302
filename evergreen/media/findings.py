"""What is wrong with a folder of images or texts, counted in its table: remarks, none of them a stop."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from evergreen.findings import Finding, no, rows_text
from evergreen.tables import columns, literal, scan

_KEYS = 5


@dataclass(frozen=True)
class _Rule:
    """A condition on a row; `sentence` follows the number of files and a colon."""

    name: str
    column: str
    condition: str
    sentence: str


_BOTH = (
    _Rule("unreadable", "error", "error IS NOT NULL", "cannot be described"),
    _Rule("duplicates", "sha256", "duplicate_of IS NOT NULL", "same bytes as an earlier file"),
    _Rule("near duplicates", "near_duplicate_of", "near_duplicate_of IS NOT NULL AND duplicate_of IS NULL",
          "much like an earlier file"),
)  # fmt: skip
_IMAGES = (
    _Rule("content", "mismatch", "mismatch", "content is not what the name ends in"),
    _Rule("location", "has_location", "has_location", "the metadata says where it was taken"),
    _Rule("one tone", "brightness_std", "brightness_std < 0.004 AND error IS NULL", "one tone only"),
)
_TEXTS = (
    _Rule("encoding", "decode_faults", "decode_faults > 0", "bytes that do not fit the encoding"),
    _Rule("replaced characters", "replacement_chars", "replacement_chars > 0",
          "U+FFFD where a character was lost before"),
    _Rule("mojibake", "mojibake", "mojibake > 0", "characters that look wrongly decoded"),
    _Rule("control characters", "control_chars", "control_chars > 0", "control characters"),
    _Rule("no words", "words", "words = 0", "no word in it"),
)  # fmt: skip


def media_findings(con: duckdb.DuckDBPyConnection, table: Path) -> list[Finding]:
    """Every rule that some file does not hold, with the first of the files; mode `warn`.

    Args:
        con: An open connection.
        table: What `describe_files` or ingestion wrote.
    """
    source = scan(table)
    rules = _IMAGES if "width" in columns(con, source) else _TEXTS
    return [f for rule in (*_BOTH, *rules) if (f := _finding(con, source, rule)) is not None]


def _finding(con: duckdb.DuckDBPyConnection, source: str, rule: _Rule) -> Finding | None:
    ((rows, count),) = con.execute(
        f"SELECT count(*), count(*) FILTER (WHERE {rule.condition}) FROM {source}"
    ).fetchall()
    if not count:
        return None
    keys = con.execute(
        f"SELECT path FROM {source} WHERE {rule.condition} ORDER BY path LIMIT {literal(_KEYS)}"
    ).fetchall()
    files = rows_text(count, rows).replace("row", "file")
    return no(
        rule.name, rule.column, "warn", f"{files}: {rule.sentence}.",
        observed=count, threshold=0, count=count, share=count / rows, keys=tuple(k for (k,) in keys),
    )  # fmt: skip
