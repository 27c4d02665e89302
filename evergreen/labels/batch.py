"""Decisions from a file: a person, or a tool, decided elsewhere about rows of the list to review."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evergreen.errors import DataError
from evergreen.labels.ledger import Action, LabelDecision, canonical
from evergreen.labels.session import Row, Session
from evergreen.project.wording import did_you_mean

_ACTIONS: tuple[Action, ...] = ("keep", "change", "exclude")


def take_decisions(session: Session, file: Path) -> int:
    """Keep all decisions of a CSV or JSON lines file, or none when one of them is wrong; returns how many.

    Columns: `rank`, or the key's columns; `action` (keep, change, exclude; default: change where `to` is
    given); `to`; `why`. Rows that are decided the same way already are passed over.

    Raises:
        InputError, DataError: with the line that is wrong.
    """
    by_rank = {r.rank: r for r in session.review.rows}
    by_key = {r.name: r for r in session.review.rows}
    done = session.decided()
    made: dict[str, LabelDecision] = {}
    for line, fields in _lines(Path(file)):
        where = f"{file}, line {line}"
        row = _row(where, fields, session, by_rank, by_key)
        to = str(fields["to"]) if fields.get("to") not in (None, "") else None
        action = str(fields.get("action") or ("change" if to else ""))
        if action not in _ACTIONS:
            raise DataError(
                where, f"action {action!r}", "keep, change or exclude", did_you_mean(action, _ACTIONS)
            )
        decision = session.decision(row, action, to, str(fields.get("why") or ""))
        before = made.get(row.name) or done.get(row.name)
        if before is None or (before.action, before.to) != (decision.action, decision.to):
            made[row.name] = decision
    session.ledger.append(list(made.values()))
    return len(made)


def _lines(file: Path) -> list[tuple[int, Mapping[str, Any]]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(str(file), "no such file", "CSV or JSON lines with decisions") from None
    except UnicodeDecodeError as error:
        raise DataError(str(file), "not UTF-8 text", "CSV or JSON lines with decisions") from error
    if file.suffix.lower() in (".jsonl", ".json", ".ndjson"):
        found: list[tuple[int, Mapping[str, Any]]] = []
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                found.append((number, _json(line, f"{file}, line {number}")))
        return found
    reader = csv.DictReader(io.StringIO(text, newline=""))
    return [(reader.line_num, row) for row in reader]


def _json(line: str, where: str) -> Mapping[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise DataError(where, f"not JSON ({error})", "a decision a line") from error
    if not isinstance(fields, dict):
        raise DataError(where, f"a {type(fields).__name__}", "an object with `rank` or a key, and `action`")
    return fields


def _row(
    where: str,
    fields: Mapping[str, Any],
    session: Session,
    by_rank: Mapping[int, Row],
    by_key: Mapping[str, Row],
) -> Row:
    key = fields.get("key") if isinstance(fields.get("key"), dict) else None
    names = list(session.review.meta.get("key") or [])
    if key is None and names and all(n in fields for n in names):
        key = {n: None if fields[n] is None else str(fields[n]) for n in names}
    if key is not None:
        row = by_key.get(canonical(key))
        if row is None:
            shown = ", ".join(f"{k}={v}" for k, v in key.items())
            raise DataError(where, f"row {shown}", "a row of the list to review")
        return row
    rank = str(fields.get("rank") or "")
    if not rank.isdigit() or int(rank) not in by_rank:
        expected = f"`rank` from 1 to {len(by_rank)}, or {' and '.join(names) or 'a key'}"
        raise DataError(where, f"rank {rank!r}" if rank else "no row is named", expected)
    return by_rank[int(rank)]
