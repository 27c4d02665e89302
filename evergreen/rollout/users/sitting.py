"""One read's sums: from the tables that the intake filled to the evidence and the rows of the next state."""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from evergreen.rollout.evidence import Outputs, UserEvidence
from evergreen.rollout.record import RolloutRecord
from evergreen.rollout.users import moments, pairs
from evergreen.rollout.users.intake import Taken
from evergreen.rollout.users.metrics import Wanted
from evergreen.rollout.users.periods import MICRO, Periods
from evergreen.rollout.users.reference import OTHER, Reference
from evergreen.rollout.users.state import Meta, PairSums, State
from evergreen.rollout.users.sums import JOIN, PLACES, SETTLE, Sums, user_columns, users_before
from evergreen.tables import explained, literal
from evergreen.tables.parquet import file_scan

_ARMS = ("", "baseline", "candidate", "shadow")


class Sitting:
    """The sums of one read.

    Args:
        con: A connection with the tables of `intake.TABLES`, filled.
        record: Of the rollout.
        before: The state of the last read.
        wanted: The metrics.
        periods: What rows count for.
        reference: Of the candidate's outputs.
        until: Requests from here on are kept, and do not count yet.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        record: RolloutRecord,
        before: State | None,
        wanted: Wanted,
        periods: Periods,
        reference: Reference,
        until: int,
    ) -> None:
        self._until = until
        self._con, self._record, self._before = con, record, before
        self._wanted, self._periods, self._reference = wanted, periods, reference
        self._last = before.meta if before else None
        self._kept = self._last if self._last and not periods.fresh else None  # what the stage has so far

    def hold(self, taken: Taken, scratch: Path) -> tuple[UserEvidence, Meta, str]:
        """Sum.

        Args:
            taken: What the intake read.
            scratch: A folder that lasts until the state is written.

        Returns:
            The evidence, what the next state says about itself, and SQL of its rows.
        """
        last = self._last
        newest = max(taken.newest, last.newest if last else 0)
        cut = max(last.cut if last else 0, min(newest - SETTLE, self._until), 0)
        late = self._late(last.cut if last else 0)
        merged = self._users(cut, scratch)
        happened, all_happened = self._happened()
        joined = pairs.join(self._con, self._reference, self._periods.begin, cut, self._record.plan.slo)
        before = self._kept.pairs if self._kept else PairSums()
        answered, all_answered = self._answered(cut)
        lost = self._count(f"SELECT count(*) FROM placed WHERE lost AND time < {cut}")
        users = UserEvidence(
            exposed=moments.exposures(self._con, merged) if self._periods.counts else {},
            exposed_share=self._record.plan.share,
            metrics=moments.metrics_by_arm(self._con, merged, self._wanted, all_happened)
            if self._periods.counts
            else {},
            switched=moments.switched(self._con, merged),
            pairs=pairs.evidence_of(before.plus(joined.total), self._reference)
            if self._periods.copies
            else pairs.Pairs(),
            outputs=self._outputs(all_answered),
        )
        left_out = {
            "late": late,
            "outcomes": lost,
            "answers": joined.alone_answers,
            "copies": joined.alone_copies,
            "segments": taken.unreadable,
        }
        meta = Meta(
            number=(last.number if last else 0) + 1,
            events=self._wanted.events,
            stage=self._record.stage,
            since=self._record.since,
            share=self._record.plan.share,
            begin=self._periods.begin,
            live=self._periods.live,
            epoch=self._periods.epoch,
            gaps=self._periods.gaps,
            newest=newest,
            cut=cut,
            happened=happened,
            pairs=before.plus(joined.settled),
            answered=answered,
            left_out=_added(last.left_out if last else {}, left_out),
            until=min(self._until, newest + 1),
        )
        return users, meta, self._rows(merged, cut)

    def _count(self, query: str) -> int:
        ((found,),) = self._con.execute(query).fetchall()
        return int(found)

    def _late(self, cut: int) -> int:
        return self._count(f"SELECT count(*) FROM visits WHERE NOT settled AND key // 4 < {cut}")

    def _users(self, cut: int, scratch: Path) -> str:
        """The users' sums in a file of their own, sorted, for several passes."""
        before = users_before(self._before, self._periods, len(self._wanted.events))
        query = Sums(self._con, self._wanted, self._periods, cut, self._until, before).run()
        path = scratch / "users.parquet"
        with explained("users"):
            how = "FORMAT parquet, COMPRESSION snappy"
            self._con.execute(f'COPY ({query} ORDER BY "user") TO {literal(str(path))} ({how})')
        self._con.execute("DROP TABLE change")
        return file_scan([path])

    def _happened(self) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
        """Events of the present stage: the settled ones, and all."""
        found = self._con.execute(
            "SELECT event, place, settled, count(*) FROM gains WHERE place > 0 AND y <> 0 GROUP BY ALL"
        ).fetchall()
        settled = {event: dict(arms) for event, arms in (self._kept.happened if self._kept else {}).items()}
        every = {event: dict(arms) for event, arms in settled.items()}
        for event, place, is_settled, number in found:
            for target in (every, settled) if is_settled else (every,):
                arms = target.setdefault(self._wanted.events[event], {})
                arms[PLACES[place]] = arms.get(PLACES[place], 0) + number
        return settled, every

    def _answered(self, cut: int) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
        """Outputs of the present stage by arm and place of the label: the settled ones, and all."""
        found = self._con.execute(
            f"SELECT arm, label, time < {cut} AS settled, sum(rows) FROM answers "
            f"WHERE time >= {self._periods.begin} GROUP BY ALL"
        ).fetchall()
        settled = {arm: dict(labels) for arm, labels in (self._kept.answered if self._kept else {}).items()}
        every = {arm: dict(labels) for arm, labels in settled.items()}
        for arm, label, is_settled, number in found:
            for target in (every, settled) if is_settled else (every,):
                labels = target.setdefault(_ARMS[arm], {})
                labels[str(label)] = labels.get(str(label), 0) + int(number)
        return settled, every

    def _outputs(self, answered: Mapping[str, Mapping[str, int]]) -> Outputs:
        reference = self._reference
        names = reference.labels
        arms = {
            arm: tuple(labels.get(str(place), 0) for place in range(len(names)))
            for arm, labels in sorted(answered.items())
        }
        trained = tuple(float(count) for count in reference.counts)
        unused = names and names[-1] == OTHER and not any(counts[-1] for counts in arms.values())
        if unused and not (trained and trained[-1]):
            arms = {arm: counts[:-1] for arm, counts in arms.items()}
            names, trained = names[:-1], trained[:-1]
        return Outputs(names, trained, arms)

    def _rows(self, merged: str, cut: int) -> str:
        """SQL of the next state's rows, each kind in an order of its own."""
        since = max(JOIN, round(self._wanted.within * MICRO))
        columns = ", ".join(user_columns(len(self._wanted.events)))
        worth = (
            "before + baseline + candidate > 0 OR candidate_from IS NOT NULL OR baseline_until IS NOT NULL"
        )
        worth = " OR ".join([worth, *(f"y{e}_before <> 0" for e in range(len(self._wanted.events)))])
        kinds = {
            "user": f"SELECT {columns} FROM {merged} WHERE {worth}",
            "visit": 'SELECT id, "user", key FROM (FROM visit UNION ALL FROM visit_later) '
            f'WHERE key >= {4 * max(cut - since, 0)} ORDER BY key, id, "user"',
            "report": f'SELECT id, "user", time, event, value FROM report WHERE time >= {cut} '
            'ORDER BY time, event, id, "user", value',
            "half": pairs.kept_rows(),
            "answer": "SELECT time, arm, label, sum(rows)::BIGINT AS rows FROM answers "
            f"WHERE time >= {cut} GROUP BY time, arm, label ORDER BY time, arm, label",
        }
        return " UNION ALL BY NAME ".join(
            f"SELECT {literal(kind)} AS kind, * FROM ({rows})" for kind, rows in kinds.items()
        )


def _added(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {k: a.get(k, 0) + b.get(k, 0) for k in sorted(a.keys() | b.keys())}
