"""One person goes through the list to review; each decision is kept at once, the next time goes on there."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from evergreen.errors import DataError, InputError
from evergreen.labels.ledger import Action, LabelDecision, Ledger, canonical, effective
from evergreen.labels.review_list import REVIEW
from evergreen.project.wording import did_you_mean
from evergreen.tables.meta import read_meta
from evergreen.tables.names import listed

_COLUMNS = {"rank", "part", "given", "suggested", "score", "reason", "key", "features"}
HELP = (
    "k keep · a accept the suggestion · c LABEL change to LABEL · e exclude the row · s skip · u undo · "
    "q quit; add # and a reason, such as: e # blurred"
)


@dataclass(frozen=True)
class Row:
    """A row of the list to review, as it is shown."""

    rank: int
    part: str
    given: str
    suggested: str
    score: float
    reason: str
    key: Mapping[str, str | None]
    features: Mapping[str, str | None]

    @property
    def name(self) -> str:
        """The key as one text."""
        return canonical(self.key)


@dataclass(frozen=True)
class Review:
    """A list to review: where it is, its rows by rank, and what its `meta.json` says."""

    path: Path
    rows: tuple[Row, ...]
    meta: Mapping[str, Any]

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The labels there are; None where the label is a number."""
        return None if self.meta.get("classes") is None else tuple(self.meta["classes"])


def find_review(place: Path) -> Path:
    """The `review.parquet` that is meant: itself, the one in a folder, or the newest of a run.

    Raises:
        InputError: when there is none.
    """
    place = Path(place)
    if place.is_file():
        return place
    for pattern in (REVIEW, f"review/{REVIEW}", f"**/review/{REVIEW}"):
        found = sorted(place.glob(pattern), key=lambda p: (p.stat().st_mtime, str(p)))
        if found:
            return found[-1]
    missing = "no such file or folder" if not place.exists() else f"it holds no {REVIEW}"
    remedy = "Run the train pipeline, or give the output `review` of validate_labels."
    raise InputError(str(place), missing, f"{REVIEW}, or the folder of a run", remedy)


def read_review(place: Path) -> Review:
    """Read a list to review.

    Raises:
        InputError: when there is none.
        DataError: when the file is something else.
    """
    path = find_review(place)
    try:
        table = pq.read_table(path)
    except (OSError, ValueError) as error:
        raise DataError(str(path), f"not a Parquet file ({str(error).splitlines()[0][:100]})") from error
    lacking = sorted(_COLUMNS - set(table.column_names))
    if lacking:
        raise DataError(str(path), f"no column {lacking[0]!r}", f"the columns {listed(sorted(_COLUMNS))}")
    rows = []
    for r in table.select(sorted(_COLUMNS)).sort_by("rank").to_pylist():
        packed = {name: json.loads(r[name]) for name in ("key", "features")}
        rows.append(Row(**{**r, **packed}))
    return Review(path, tuple(rows), read_meta(path.parent))


@dataclass
class Session:
    """A review under way.

    Attributes:
        review: The list.
        ledger: Where decisions are kept.
        who: Who decides.
        clock: The time now.
        skipped: Rows that were passed over this time.
        made: Rows decided this time, in order.
    """

    review: Review
    ledger: Ledger
    who: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    skipped: set[str] = field(default_factory=set)
    made: list[Row] = field(default_factory=list)

    def decided(self) -> dict[str, LabelDecision]:
        """What holds for rows of the list."""
        names = {row.name for row in self.review.rows}
        return {n: d for n, d in effective(self.ledger.read()).items() if n in names}

    def left(self) -> list[Row]:
        """The rows that nobody decided on and that were not skipped."""
        done = self.decided()
        return [r for r in self.review.rows if r.name not in done and r.name not in self.skipped]

    def decision(self, row: Row, action: Action, to: str | None = None, why: str = "") -> LabelDecision:
        """A decision about a row.

        Raises:
            InputError: for a label that there is not, or the one that is there already.
        """
        if action == "change":
            to = self.label(row, to)
        when = self.clock().isoformat(timespec="seconds")
        digest = str(self.review.meta.get("digest") or "")
        target = to if action == "change" else None
        return LabelDecision(row.key, action, row.given, target, self.who, when, why, row.rank, digest)

    def label(self, row: Row, wanted: str | None) -> str:
        """The label that a person means by what was typed.

        Raises:
            InputError: when there is no such label, or it is the given one.
        """
        where = f"rank {row.rank}"
        if not wanted:
            raise InputError(where, "no label to change to", self._expected())
        classes = self.review.classes
        if classes is None:
            try:
                float(wanted)
            except ValueError:
                raise InputError(where, f"{wanted!r}", "a number") from None
            return wanted
        by_case = {c.casefold(): c for c in classes}
        found = wanted if wanted in classes else by_case.get(wanted.casefold(), "")
        if not found:
            raise InputError(where, f"no label {wanted!r}", self._expected(), did_you_mean(wanted, classes))
        if found == row.given:
            raise InputError(where, f"{found!r} is the label that is there", "another one, or `keep`")
        return found

    def _expected(self) -> str:
        classes = self.review.classes
        return "a number" if classes is None else f"one of {listed(classes)}"

    def keep(self, row: Row, decision: LabelDecision) -> None:
        """Keep a decision, before anything else happens."""
        self.ledger.append([decision])
        self.made.append(row)

    def undo(self) -> Row | None:
        """Take the last decision of this session back; None when there is none."""
        if not self.made:
            return None
        row = self.made.pop()
        self.ledger.append([replace(self.decision(row, "keep"), action="undo")])
        return row

    def answer(self, row: Row, typed: str) -> bool:
        """Do what a person typed about a row; False to quit.

        Raises:
            InputError: when it means nothing.
        """
        words, _, why = typed.partition("#")
        verb, _, rest = words.strip().partition(" ")
        rest, why = rest.strip(), why.strip()
        match verb.lower():
            case "k" | "keep":
                self.keep(row, self.decision(row, "keep", why=why))
            case "a" | "accept":
                self.keep(row, self.decision(row, "change", row.suggested, why))
            case "c" | "change":
                self.keep(row, self.decision(row, "change", rest, why))
            case "e" | "exclude":
                self.keep(row, self.decision(row, "exclude", why=why))
            case "s" | "skip":
                self.skipped.add(row.name)
            case "u" | "undo":
                if self.undo() is None:
                    raise InputError("undo", "nothing was decided yet this time")
            case "q" | "quit":
                return False
            case _:
                raise InputError(repr(typed.strip()), "no answer", "k, a, c LABEL, e, s, u or q")
        return True

    def status(self) -> dict[str, Any]:
        """How far the review is, as `--json` prints it."""
        decided = self.decided()
        actions = [d.action for d in decided.values()]
        return {
            "review": str(self.review.path),
            "decisions": self.ledger.uri,
            "rows": len(self.review.rows),
            "decided": len(decided),
            "left": len(self.review.rows) - len(decided),
            "keep": actions.count("keep"),
            "change": actions.count("change"),
            "exclude": actions.count("exclude"),
        }
