"""The list to review: a row a label that looks wrong, the worst first, with what a person needs to decide."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evergreen.files import aside
from evergreen.labels.copies import Copies
from evergreen.labels.issues import Suspects
from evergreen.labels.ledger import LabelDecision
from evergreen.labels.rows import PART, ROW, Rows, column_of, feature_hash, identity, row_digest
from evergreen.tables import identifier, literal, write_meta, write_query

REVIEW = "review.parquet"
_FEATURES = 60
_TWIN = "a row that is equal in every feature has another label"


def write_review(
    rows: Rows,
    relation: str,
    suspects: Suspects | None,
    copies: Copies,
    folder: Path,
    most: int,
    settled: Iterable[LabelDecision] = (),
) -> int:
    """Write `review.parquet` and `meta.json` into a folder; returns the number of rows.

    Columns: `rank` from 1, `part`, `given` and `suggested` label as text, `score` (0 surely wrong, 1 surely
    right), `reason`, `key` (JSON: column to text; `evergreen_row` names a row of a table without a key),
    `features` (JSON), and the key's own columns where their names are free.

    Args:
        rows: The rows.
        relation: The table of the sample that `suspects` is about.
        suspects: What models say.
        copies: What equal rows say.
        folder: Where to write.
        most: Rows at most.
        settled: Decisions of people to keep a label as it is: such rows are not listed again.
    """
    listed = _listed(rows, relation, suspects, copies)
    con = rows.con
    con.register("evergreen_listed", listed.add_prefix("evergreen_"))
    key = identity(rows.meta, rows.types)
    kept = [(_packed({n: d.key.get(n) for n in key}), d.given) for d in settled]
    con.register("evergreen_settled", pd.DataFrame(kept, columns=["key", "given"], dtype="str"))
    try:
        with aside(Path(folder)) as out:
            out.mkdir()
            count = write_query(con, _query(rows, relation, key, most), out / REVIEW)
            write_meta(out, _about(rows, key, count))
    finally:
        con.unregister("evergreen_listed")
        con.unregister("evergreen_settled")
    return count


def _packed(key: dict[str, str | None]) -> str:
    """A key as DuckDB's `json_object` writes it."""
    return json.dumps(key, ensure_ascii=False, separators=(",", ":"))


def _listed(rows: Rows, relation: str, suspects: Suspects | None, copies: Copies) -> pd.DataFrame:
    found = pd.DataFrame(
        {"place": np.empty(0, np.int64), "suggested": "", "score": np.empty(0), "reason": ""}
    )
    if suspects is not None:
        suggested = [_name(rows, v) for v in suspects.suggested[suspects.order]]
        found = pd.DataFrame(
            {
                "place": suspects.order.astype(np.int64),
                "suggested": suggested,
                "score": suspects.score[suspects.order],
                "reason": list(suspects.reasons),
            }
        )
    if copies.conflict_copies >= 0.5:
        inside = f"{feature_hash(rows.features)} IN (SELECT evergreen_h FROM evergreen_twins WHERE c)"
        places = np.flatnonzero(column_of(rows.con, relation, inside))
        places = places[~np.isin(places, found["place"].to_numpy())]
        twins = pd.DataFrame(
            {"place": places.astype(np.int64), "suggested": "", "score": 0.5, "reason": _TWIN}
        )
        found = pd.concat([found, twins], ignore_index=True)
    found["rank"] = np.arange(1, len(found) + 1)
    return found.astype({"suggested": "str", "reason": "str"})


def _name(rows: Rows, value: Any) -> str:
    if rows.target.classes is None:
        return f"{float(value):.6g}"
    return _text(rows.target.classes[int(value)])


def _text(value: Any) -> str:
    """A label as DuckDB writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _query(rows: Rows, relation: str, key: tuple[str, ...], most: int) -> str:
    own = {"rank", "part", "given", "suggested", "score", "reason", "key", "features", "place"}
    plain = key != (ROW,)
    free = [f"t.{identifier(c)}" for c in key if plain and c.lower() not in own]
    values = {c: f"t.{identifier(c)}::VARCHAR" for c in key} if plain else {ROW: row_digest(list(rows.types))}
    packed = ", ".join(f"{literal(n)}, {sql}" for n, sql in values.items())
    shown = ", ".join(f"{literal(n)}, t.{identifier(n)}::VARCHAR" for n in rows.features[:_FEATURES])
    given = f"t.{identifier(rows.label)}::VARCHAR"
    items = [
        "l.evergreen_rank AS rank", f"t.{PART} AS part", f"{given} AS given",
        "l.evergreen_suggested AS suggested", "l.evergreen_score AS score", "l.evergreen_reason AS reason",
        f"json_object({packed})::VARCHAR AS key", f"json_object({shown})::VARCHAR AS features", *free,
    ]  # fmt: skip
    found = (
        f"SELECT {', '.join(items)} FROM evergreen_listed AS l "
        f"JOIN {relation} AS t ON t.rowid = l.evergreen_place"
    )
    return (
        f"SELECT row_number() OVER (ORDER BY rank) AS rank, * EXCLUDE (rank) FROM ({found}) AS f "
        "ANTI JOIN evergreen_settled AS s ON f.key = s.key AND f.given = s.given "
        f"ORDER BY rank LIMIT {int(most)}"
    )


def _about(rows: Rows, key: tuple[str, ...], count: int) -> dict[str, Any]:
    meta = rows.meta
    return {
        "name": meta.get("name"),
        "digest": meta.get("digest"),
        "version": meta.get("version"),
        "rows": count,
        "label": rows.label,
        "key": list(key),
        "classes": None if rows.target.classes is None else [_text(c) for c in rows.target.classes],
    }
