"""From requests and outcomes to sums by user: those settled for good, and those that may still change.

Rows older than `cut` are settled: added to the state once. Younger ones are summed anew with every read, so
that their order, their duplicates and what comes late cannot matter.

A retry is a request within `within` seconds after the user's last one; it counts for the arm that answered
the earlier one. An outcome counts for its request's arm and time, when the request is at most half an hour
older (`JOIN`); else for its user's arm, as the user was first answered in the present stage, by its own time.
"""

import duckdb

from evergreen.rollout.users.intake import VALUE
from evergreen.rollout.users.metrics import RETRY, Wanted
from evergreen.rollout.users.periods import MICRO, Periods
from evergreen.rollout.users.state import State, rows_of

JOIN = 30 * 60 * MICRO
"""So much older than an outcome its request may be, in microseconds."""
SETTLE = 5 * 60 * MICRO
"""So far behind the newest prediction a row is settled; one that comes later still is settled at once."""
PLACES = ("before", "baseline", "candidate")
_BOUND = 4 * 10**18  # of a user's sum in whole millionths: two of them still fit into 64 bits


def counts(events: int) -> list[str]:
    """The columns of a user that add up."""
    return [*PLACES, *(f"y{event}_{place}" for event in range(events) for place in PLACES)]


def user_columns(events: int) -> list[str]:
    """The columns of a user.

    `first` is the key (time times 4, plus arm) of the first request in the present stage, `candidate_from`
    the time of the first answer by the candidate, `baseline_until` that of the last one by the baseline.
    """
    return ['"user"', *counts(events), "first", "candidate_from", "baseline_until"]


def users_before(state: State | None, periods: Periods, events: int) -> str:
    """SQL: the users of the last state; without what belongs to a stage that has ended."""
    names = user_columns(events)
    if state is None:
        empty = ", ".join(f"NULL::{'UBIGINT' if n == names[0] else 'BIGINT'} AS {n}" for n in names)
        return f"SELECT {empty} WHERE FALSE"
    emptied: dict[str, str] = {}
    if periods.fresh:
        emptied |= {n: "0" for n in counts(events) if not n.endswith("before")} | {"first": "NULL"}
    if periods.reset:
        emptied |= {"candidate_from": "NULL", "baseline_until": "NULL"}
    picked = ", ".join(f"{emptied[n]}::BIGINT AS {n}" if n in emptied else n for n in names)
    return rows_of(state, "user", picked)


class Sums:
    """The sums of one read, in tables of a connection that has `visits`, `reports` (see `intake`).

    Args:
        con: The connection.
        wanted: Which events are summed.
        periods: What rows count for.
        cut: Before it, rows are settled by this read.
        until: Requests from here on do not count yet.
        before: SQL of the users so far (`users_before`).
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        wanted: Wanted,
        periods: Periods,
        cut: int,
        until: int,
        before: str,
    ) -> None:
        self._con, self._wanted, self._periods, self._cut = con, wanted, periods, cut
        self._until, self._before = until, before
        self._key_place = periods.place("(key // 4)", "(key & 3)")

    def run(self) -> str:
        """Make the table `change` of sums by user.

        Returns:
            SQL of every user's sums: settled ones by name, those that may change with `open_` before it.
        """
        self._visit()
        self._con.execute(
            "CREATE TEMP TABLE gains (\"user\" UBIGINT, settled BOOLEAN, place TINYINT, event SMALLINT, "
            "y BIGINT)"
        )  # fmt: skip
        if RETRY in self._wanted.events:
            self._retries(self._wanted.events.index(RETRY))
        self._matched()
        self._con.execute(
            'INSERT INTO gains SELECT coalesce(owner, "user"), time < '
            f"{self._cut}, place, event, value FROM placed WHERE place IS NOT NULL"
        )
        self._change()
        return self._merged()

    def _visit(self) -> None:
        """Each request once: duplicates of an id by one user count as the earliest of them."""
        self._con.execute(
            "CREATE TEMP TABLE visit AS SELECT id, \"user\", min(key) AS key, bool_or(settled) AS settled "
            "FROM visits GROUP BY id, \"user\""
        )  # fmt: skip
        young = f"key >= {4 * self._until}"
        self._con.execute(f"CREATE TEMP TABLE visit_later AS FROM visit WHERE {young}")
        self._con.execute(f"DELETE FROM visit WHERE {young}")
        self._con.execute("DROP TABLE visits")

    def _retries(self, event: int) -> None:
        within = round(self._wanted.within * MICRO)
        place = self._periods.place("(last // 4)", "(last & 3)")
        self._con.execute(
            f"INSERT INTO gains SELECT \"user\", key // 4 < {self._cut}, {place}, {event}, {VALUE} FROM ("
            "SELECT \"user\", key, settled, lag(key) OVER (PARTITION BY \"user\" ORDER BY key, id) AS last "
            f"FROM visit WHERE key >= (SELECT min(key) FROM visit WHERE NOT settled) - {4 * within}"
            f") WHERE NOT settled AND key // 4 - last // 4 <= {within} AND {place} IS NOT NULL"
        )  # fmt: skip

    def _matched(self) -> None:
        """The table `placed`: outcomes, with whom and what each of them counts for.

        A request id that several users sent belongs to none of them but an outcome's own user.
        """
        self._con.execute("CREATE TEMP TABLE report AS SELECT row_number() OVER () AS nr, * FROM reports")
        near = f"key // 4 BETWEEN time - {JOIN} AND time + {SETTLE}"
        self._con.execute(
            "CREATE TEMP TABLE asked AS SELECT v.id, v.\"user\", v.key FROM visit v SEMI JOIN "
            "(SELECT DISTINCT id FROM report WHERE id IS NOT NULL) r ON v.id = r.id"
        )  # fmt: skip
        self._con.execute(
            "CREATE TEMP TABLE placed AS WITH "
            "own AS (SELECT nr, a.\"user\" AS owner, a.key FROM report r JOIN asked a "
            f"ON r.id = a.id AND r.\"user\" = a.\"user\" WHERE {near}), "
            "alone AS (SELECT id, min(\"user\") AS owner, min(key) AS key FROM asked GROUP BY id "
            "HAVING count(*) = 1), "
            f"sole AS (SELECT nr, owner, key FROM report r JOIN alone USING (id) WHERE {near}), "
            "firsts AS (SELECT \"user\", min(first) AS first FROM ("
            f"SELECT \"user\", first FROM ({self._before}) UNION ALL SELECT \"user\", key FROM visit "
            f"WHERE {self._key_place} > 0) SEMI JOIN report USING (\"user\") GROUP BY \"user\"), "
            "joined AS (SELECT r.*, coalesce(own.owner, sole.owner) AS owner, "
            "coalesce(own.key, sole.key) AS key, first FROM report r LEFT JOIN own USING (nr) "
            "LEFT JOIN sole USING (nr) LEFT JOIN firsts ON r.\"user\" = firsts.\"user\") "
            f"SELECT nr, \"user\", owner, time, event, value, CASE WHEN owner IS NOT NULL THEN "
            f"{self._key_place} ELSE {self._by_user()} END AS place, "
            "owner IS NULL AND \"user\" IS NULL AS lost FROM joined"
        )  # fmt: skip

    def _by_user(self) -> str:
        begin = self._periods.begin
        return (
            f'(CASE WHEN "user" IS NULL THEN NULL WHEN time < {self._periods.live} THEN 0 '
            f"WHEN time >= {begin} AND first // 4 <= time THEN first & 3 END)"
        )

    def _change(self) -> None:
        cut, shown = self._cut, self._periods.shown("(key // 4)", "(key & 3)")
        rows = (
            f'SELECT "user", key // 4 < {cut} AS settled, {self._key_place} AS place, 1 AS n, -1 AS event, '
            "0 AS y, key // 4 AS time, key & 3 AS arm, "
            f"{shown} AS shown FROM visit WHERE NOT settled "
            'UNION ALL SELECT "user", settled, place, 0, event, y, NULL, NULL, FALSE FROM gains'
        )
        picked = []
        for prefix, which in (("", "settled"), ("open_", "NOT settled")):
            for code, place in enumerate(PLACES):
                here = f"{which} AND place = {code}"
                picked.append(f"coalesce(sum(n) FILTER ({here}), 0)::BIGINT AS {prefix}{place}")
                picked += [
                    f"least(greatest(coalesce(sum(y) FILTER ({here} AND event = {event}), 0), -{_BOUND}), "
                    f"{_BOUND})::BIGINT AS {prefix}y{event}_{place}"
                    for event in range(len(self._wanted.events))
                ]
            picked += [
                f"min(time * 4 + arm) FILTER ({which} AND place > 0) AS {prefix}first",
                f"min(time) FILTER ({which} AND shown AND arm = 2) AS {prefix}candidate_from",
                f"max(time) FILTER ({which} AND shown AND arm = 1) AS {prefix}baseline_until",
            ]
        self._con.execute(
            f"CREATE TEMP TABLE change AS SELECT \"user\", {', '.join(picked)} FROM ({rows}) "
            "WHERE place IS NOT NULL OR shown GROUP BY \"user\""
        )  # fmt: skip

    def _merged(self) -> str:
        added = counts(len(self._wanted.events))
        sums = [(n, f"coalesce(b.{n}, 0)::HUGEINT + coalesce(c.{n}, 0)") for n in added]
        picked = ['coalesce(b."user", c."user") AS "user"']
        picked += [f"least(greatest({both}, -{_BOUND}), {_BOUND})::BIGINT AS {n}" for n, both in sums]
        picked += [f"coalesce(c.open_{n}, 0) AS open_{n}" for n in added]
        for name, extreme in (
            ("first", "least"),
            ("candidate_from", "least"),
            ("baseline_until", "greatest"),
        ):
            picked += [f"{extreme}(b.{name}, c.{name}) AS {name}", f"c.open_{name}"]
        return f'SELECT {", ".join(picked)} FROM ({self._before}) b FULL JOIN change c USING ("user")'
