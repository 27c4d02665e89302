"""From sums by user to the sums over users that the statistics take."""

from collections.abc import Mapping

import duckdb

from evergreen.rollout.evidence import UserMoments
from evergreen.rollout.users.intake import VALUE
from evergreen.rollout.users.metrics import Metric, Wanted

ARMS = ("baseline", "candidate")
_SUMS = 11


def metrics_by_arm(
    con: duckdb.DuckDBPyConnection, scan: str, wanted: Wanted, happened: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, UserMoments]]:
    """The moments of every metric and arm over the users that were answered in the present stage.

    Args:
        con: A connection with one thread: the order of additions is that of the rows, which are sorted.
        scan: SQL of the merged users (`Sums.run`), in order.
        wanted: The metrics.
        happened: Events by event and arm.
    """
    asked = [(metric, arm) for metric in wanted.metrics for arm in ARMS]
    if not asked:
        return {}
    sums = [s for metric, arm in asked for s in _sums(wanted, metric, arm)]
    here = f"SELECT * FROM {scan} WHERE baseline + open_baseline > 0 OR candidate + open_candidate > 0"
    ((*found,),) = con.execute(f"SELECT {', '.join(sums)} FROM ({here})").fetchall()
    metrics: dict[str, dict[str, UserMoments]] = {metric.name: {} for metric in wanted.metrics}
    for place, (metric, arm) in enumerate(asked):
        users, covered, *rest = found[place * _SUMS : (place + 1) * _SUMS]
        y, n, x, yy, nn, xx, yn, yx, nx = (float(s or 0.0) for s in rest)
        events = happened.get(metric.event, {}).get(arm, 0)
        moments = UserMoments(int(users), events, int(covered), y, n, x, yy, nn, xx, yn, yx, nx)
        metrics[metric.name][arm] = moments
    return metrics


def _sums(wanted: Wanted, metric: Metric, arm: str) -> list[str]:
    """SQL of the sums of `UserMoments`, but for the events."""
    place = wanted.events.index(metric.event)
    y, past = (f"((y{place}_{which} + open_y{place}_{which})::DOUBLE / {VALUE})" for which in (arm, "before"))
    requests, before = f"({arm} + open_{arm})", "(before + open_before)"
    n = "1::DOUBLE" if metric.by_user else f"{requests}::DOUBLE"
    ratio = past if metric.by_user else f"{past} / {before}"
    x = f"(CASE WHEN {before} > 0 THEN {ratio} ELSE 0.0 END)"
    here = f"FILTER ({requests} > 0)"
    products = [y, n, x, f"{y} * {y}", f"{n} * {n}", f"{x} * {x}", f"{y} * {n}", f"{y} * {x}", f"{n} * {x}"]
    counts = [f"count(*) {here}", f"count(*) FILTER ({requests} > 0 AND {before} > 0)"]
    return [*counts, *(f"sum({product}) {here}" for product in products)]


def exposures(con: duckdb.DuckDBPyConnection, scan: str) -> dict[str, int]:
    """Users by the arm that answered them first in the present stage."""
    found = con.execute(
        f"SELECT least(first, open_first) & 3 AS arm, count(*) FROM {scan} "
        "WHERE least(first, open_first) IS NOT NULL GROUP BY arm"
    ).fetchall()
    counted = {int(arm): int(users) for arm, users in found}
    return {arm: counted.get(code, 0) for code, arm in enumerate(ARMS, start=1)}


def switched(con: duckdb.DuckDBPyConnection, scan: str) -> int:
    """Users that the baseline answered after the candidate had."""
    ((users,),) = con.execute(
        f"SELECT count(*) FROM {scan} WHERE greatest(baseline_until, open_baseline_until) > "
        "least(candidate_from, open_candidate_from)"
    ).fetchall()
    return int(users)
