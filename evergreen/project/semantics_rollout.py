"""Whether the stages and guardrails of a rollout can do what they say."""

from collections.abc import Iterator
from typing import Any

from evergreen.project.model.rollout import Stage
from evergreen.project.model.values import Refused, parse_duration
from evergreen.project.view import View, mapping
from evergreen.project.wording import Path

_STAGES: Path = ("rollout", "stages")
_GUARDRAILS: Path = ("rollout", "guardrails")
_COPIES = ("shadow", "dark")
_OF_EXPERIMENTS = ("users", "looks", "success", "require", "margin", "alpha")
_SHARES = {"shadow": 100.0, "dark": 100.0, "canary": 5.0, "experiment": 50.0}
_BEATS = 3


def check_rollout(view: View) -> None:
    """Record contradictions between stages, guardrails, times and the prediction log."""
    stages = list(_items(mapping(view.data.get("rollout")).get("stages")))
    _check_shares(view, stages)
    for index, stage in stages:
        _check_stage(view, (*_STAGES, index), stage)
    _check_means(view)
    _check_queries(view)
    _check_times(view)
    _check_log(view, stages)


def _items(given: object) -> Iterator[tuple[int, dict[str, Any]]]:
    for index, item in enumerate(given if isinstance(given, list) else []):
        if isinstance(item, dict):
            yield index, item


def _seconds(given: object, default: float | None = None) -> float | None:
    """A duration's seconds; the default where none is given, None for one that is reported elsewhere."""
    if given is None:
        return default
    try:
        return parse_duration(given).total_seconds()  # type: ignore[attr-defined]
    except (Refused, AttributeError):
        return None


def _number(given: object, default: float) -> float | None:
    if given is None:
        return default
    known = isinstance(given, int | float) and not isinstance(given, bool)
    return float(given) if known else None  # type: ignore[arg-type]


def _check_shares(view: View, stages: list[tuple[int, dict[str, Any]]]) -> None:
    """Users who had the candidate keep it: shares never fall, and copies come before them."""
    before, kind_before = 0.0, ""
    for index, stage in stages:
        kind = stage.get("kind")
        if kind in _COPIES and before:
            found = f"`{kind}` after a stage that users saw"
            expected = "copies before the first canary: else its users would flip back"
            view.document.add((*_STAGES, index, "kind"), found, expected)
        share = _number(stage.get("share"), _SHARES.get(str(kind), 0.0))
        if kind not in ("canary", "experiment") or share is None:
            continue
        level = kind == kind_before == "canary" and share == before
        if share < before or level:
            place = (*_STAGES, index, "share" if "share" in stage else "kind")
            found = f"{share:g} % after {before:g} %"
            view.document.add(place, found, "shares that rise: no user flips back during a ramp")
        before, kind_before = max(before, share), str(kind)


def _check_stage(view: View, where: Path, stage: dict[str, Any]) -> None:
    document, kind = view.document, stage.get("kind")
    least = _seconds(stage.get("at_least"), Stage.model_fields["at_least"].default.total_seconds())
    most = _seconds(stage.get("at_most"))
    if least is not None and most is not None and most <= least:
        lasts = "" if "at_least" in stage else f" (it is {least / 60:g}m where none is given)"
        document.add((*where, "at_most"), f"not longer than `at_least`{lasts}", "`at_most` above `at_least`")
    if kind == "experiment":
        _check_experiment(view, where, stage)
    elif str(kind) in _SHARES:
        for field in _OF_EXPERIMENTS:
            if field in stage:
                document.add((*where, field), f"given for a {kind}", f"`{field}` only for an experiment")


def _check_experiment(view: View, where: Path, stage: dict[str, Any]) -> None:
    document = view.document
    if not stage.get("success"):
        place = (*where, "success") if "success" in stage else where
        expected = "`success`: the events that say which version is better, such as [{event: click}]"
        document.add(place, "an experiment without success metrics", expected)
    if _number(stage.get("share"), 50.0) == 100:
        expected = "less than 100: the others are whom the candidate is compared with"
        document.add((*where, "share"), "an experiment with everybody", expected)
    users, looks = _number(stage.get("users"), 10_000), _number(stage.get("looks"), 5)
    if users is not None and looks is not None and looks >= 1 and users < 4 * looks:
        found = f"{looks:g} looks at {users:g} users"
        document.add((*where, "looks" if "looks" in stage else "users"), found, "at least 4 users a look")
    if stage.get("require", "not_worse") == "better" and "margin" in stage:
        expected = "`margin` only with `require: not_worse`"
        document.add((*where, "margin"), "given with `require: better`", expected)
    _check_events(view, (*where, "success"), stage.get("success"))


def _check_events(view: View, where: Path, given: object) -> None:
    """Each event once; a retry is never what is wanted."""
    seen: set[tuple[str, str]] = set()
    for index, metric in _items(given):
        event = metric.get("event")
        if not isinstance(event, str):
            continue
        key = event, str(metric.get("per", ""))
        if key in seen:
            view.document.add((*where, index, "event"), f"{event!r} twice", "each event once")
        seen.add(key)
        if event == "retry" and metric.get("better", "higher") == "higher":
            place = (*where, index, "better" if "better" in metric else "event")
            view.document.add(place, "`retry` with more of it being better", "`better: lower`")


def _guardrails(view: View) -> dict[str, Any]:
    return mapping(mapping(view.data.get("rollout")).get("guardrails"))


def _check_means(view: View) -> None:
    means = _guardrails(view).get("means")
    _check_events(view, (*_GUARDRAILS, "means"), means)
    for index, mean in _items(means):
        if "within" in mean and mean.get("event") != "retry":
            expected = "`within` only for the event `retry`"
            view.document.add((*_GUARDRAILS, "means", index, "within"), "given for another event", expected)


def _check_queries(view: View) -> None:
    guardrails, document = _guardrails(view), view.document
    queries = list(_items(guardrails.get("queries")))
    if queries and not guardrails.get("prometheus"):
        expected = "`prometheus`: the URL of the server that answers them"
        document.add((*_GUARDRAILS, "queries"), "queries without `prometheus`", expected)
    names: set[str] = set()
    for index, query in queries:
        where: Path = (*_GUARDRAILS, "queries", index)
        low, high = query.get("min"), query.get("max")
        if low is None and high is None:
            document.add(where, "neither `min` nor `max`", "a bound: else no value is wrong")
        elif isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            document.add((*where, "min"), f"`min` {low} and `max` {high}", "`min` at most `max`")
        name = query.get("name")
        if isinstance(name, str) and name in names:
            document.add((*where, "name"), f"{name!r} twice", "each name once")
        names.add(str(name))


def _check_times(view: View) -> None:
    rollout = mapping(view.data.get("rollout"))
    interval, dead_man = _seconds(rollout.get("interval"), 0.5), _seconds(rollout.get("dead_man"), 30.0)
    if interval == 0:
        view.document.add(("rollout", "interval"), "no time at all", "a duration such as 500ms")
    if interval and dead_man and dead_man < _BEATS * interval:
        place: Path = ("rollout", "dead_man" if "dead_man" in rollout else "interval")
        found = f"the controller looks every {interval:g} s, and is taken for dead after {dead_man:g} s"
        expected = f"`dead_man` at least {_BEATS} times `interval`, or 0s for never"
        view.document.add(place, found, expected)
    latency = mapping(_guardrails(view).get("latency"))
    slo = _seconds(latency.get("slo"), 0.25)
    limit = _seconds(mapping(mapping(view.data.get("serving")).get("limits")).get("time"), 20.0)
    if slo == 0:
        view.document.add((*_GUARDRAILS, "latency", "slo"), "no time at all", "a duration such as 250ms")
    if slo and limit is not None and slo >= limit:
        slow: Path = (*_GUARDRAILS, "latency", "slo")
        place = slow if "slo" in latency else ("serving", "limits", "time")
        found = f"an answer is slow past {slo:g} s, but after {limit:g} s there is none"
        view.document.add(place, found, "`slo` below `serving.limits.time`")


def _check_log(view: View, stages: list[tuple[int, dict[str, Any]]]) -> None:
    """What is counted from the prediction log needs one."""
    log = mapping(mapping(view.data.get("serving")).get("log"))
    if log.get("enabled") is not False:
        return
    needs = [f"the {s['kind']}" for _, s in stages if s.get("kind") in (*_COPIES, "experiment")]
    needs += ["`guardrails.means`"] if _guardrails(view).get("means") else []
    if "stages" not in mapping(view.data.get("rollout")) and "rollout" in view.data:
        needs.append("the shadow stage")
    if needs:
        expected = f"the prediction log: {needs[0]} is judged by it"
        view.document.add(("serving", "log", "enabled"), "false", expected)
