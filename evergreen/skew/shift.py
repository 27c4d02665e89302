"""Whether the serving table's clock is off: one and the same difference between many rows' times."""

from dataclasses import dataclass
from datetime import timedelta

import duckdb

# Rows looked at, and the longest history of a key among them: differences are counted for every pair.
_LOOKED, _LONGEST = 2_000, 200
# The difference must be that of at least so many rows, of this share of those looked at, and stand out.
_FEWEST, _SHARE, _RUNNER_UP = 10, 0.5, 2.0
# Below this share of rows without a partner there is nothing to explain.
_UNMATCHED = 0.005


@dataclass(frozen=True)
class Shift:
    """The serving table's time less the training set's, and the share of the rows looked at that have it."""

    microseconds: int
    share: float

    @property
    def text(self) -> str:
        """Such as `+2 h`."""
        return duration_text(self.microseconds)


def duration_text(microseconds: float) -> str:
    """A difference of times with its sign in the largest unit that holds it: `+2 h`, `−1 d`."""
    size = abs(microseconds)
    sign = "−" if microseconds < 0 else "+"
    for unit, one in (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1))):
        step = one / timedelta(microseconds=1)
        if size >= step and size % step == 0:
            return f"{sign}{int(size // step):,} {unit}"
    return f"{sign}{size / 1e6:,.6g} s"


def find_shift(
    con: duckdb.DuckDBPyConnection, keys: list[str], training: str, serving: str, matched: str
) -> Shift | None:
    """The one difference in time that most unmatched rows have from a training row of their key.

    A habit (the same weekday, the same hour) makes some differences frequent without any clock being wrong;
    so the difference must be that of half of the rows, and twice as frequent as the next one.

    Args:
        con: An open connection.
        keys: The key columns of the two tables.
        training: Table of keys, `ts` (microseconds), `n` and `r`.
        serving: The same of the serving rows.
        matched: Table of the serving rows (`sr`) that have a partner already.
    """
    equal = " AND ".join(f"t.{k} = s.{k}" for k in keys)
    names = ", ".join(keys)
    rest = f"SELECT * FROM {serving} AS o WHERE NOT EXISTS (SELECT 1 FROM {matched} AS m WHERE m.sr = o.r)"
    short = f"SELECT {names} FROM {training} GROUP BY {names} HAVING count(*) <= {_LONGEST}"
    every = con.execute(f"SELECT count(*) FROM {serving}").fetchall()[0][0]
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE evergreen_looked AS SELECT s.* FROM ({rest}) AS s "
        f"SEMI JOIN ({short}) AS t ON {equal} ORDER BY hash(s.r) LIMIT {_LOOKED}"
    )
    looked = con.execute("SELECT count(*) FROM evergreen_looked").fetchall()[0][0]
    if looked < max(_FEWEST, _UNMATCHED * min(every, _LOOKED)):
        return None
    found = con.execute(
        f"SELECT s.ts - t.ts AS d, count(DISTINCT s.r) AS n FROM evergreen_looked AS s JOIN {training} AS t "
        f"ON {equal} GROUP BY d HAVING d <> 0 ORDER BY n DESC, abs(d), d LIMIT 2"
    ).fetchall()
    if not found:
        return None
    first, second = found[0][1], found[1][1] if len(found) > 1 else 0
    if first < max(_FEWEST, _SHARE * looked) or first < _RUNNER_UP * second:
        return None
    return Shift(int(found[0][0]), first / looked)
