"""What the rollout section cannot mean, told with line and remedy; and what it can."""

import pytest
from wrong_files import RIGHT

from evergreen.errors import ProjectError
from evergreen.project import parse_project

WRONG = {
    "shares fall": (
        "rollout:\n  stages:\n  - {kind: canary, share: 20}\n  - {kind: canary, share: 5}\n",
        "rollout.stages[1].share: 5 % after 20 %; expected shares that rise",
    ),
    "a share twice": (
        "rollout:\n  stages: [{kind: canary, share: 20}, {kind: canary, share: 20}]\n",
        "rollout.stages[1].share: 20 % after 20 %",
    ),
    "an experiment takes users back": (
        "rollout:\n  stages: [{kind: canary, share: 80}, {kind: experiment, success: [{event: click}]}]\n",
        "rollout.stages[1].kind: 50 % after 80 %",
    ),
    "copies after a canary": (
        "rollout:\n  stages: [{kind: canary}, {kind: dark}]\n",
        "rollout.stages[1].kind: `dark` after a stage that users saw; expected copies before the first",
    ),
    "an experiment without a metric": (
        "rollout:\n  stages: [{kind: experiment}]\n",
        "rollout.stages[0]: an experiment without success metrics; expected `success`",
    ),
    "an experiment with everybody": (
        "rollout:\n  stages: [{kind: experiment, share: 100, success: [{event: click}]}]\n",
        "rollout.stages[0].share: an experiment with everybody; expected less than 100",
    ),
    "more looks than users": (
        "rollout:\n  stages: [{kind: experiment, users: 30, looks: 20, success: [{event: click}]}]\n",
        "rollout.stages[0].looks: 20 looks at 30 users; expected at least 4 users a look",
    ),
    "looks at a canary": (
        "rollout:\n  stages: [{kind: canary, looks: 3}]\n",
        "rollout.stages[0].looks: given for a canary; expected `looks` only for an experiment",
    ),
    "a margin that nobody reads": (
        "rollout:\n  stages: [{kind: experiment, require: better, margin: 0.1, success: [{event: buy}]}]\n",
        "rollout.stages[0].margin: given with `require: better`",
    ),
    "more retries are better": (
        "rollout: {guardrails: {means: [{event: retry}]}}\n",
        "rollout.guardrails.means[0].event: `retry` with more of it being better; expected `better: lower`",
    ),
    "an event twice": (
        "rollout: {guardrails: {means: [{event: click}, {event: click}]}}\n",
        "rollout.guardrails.means[1].event: 'click' twice",
    ),
    "at_most too short": (
        "rollout:\n  stages: [{kind: canary, at_least: 2h, at_most: 1h}]\n",
        "rollout.stages[0].at_most: not longer than `at_least`; expected `at_most` above `at_least`",
    ),
    "at_most below the default": (
        "rollout:\n  stages: [{kind: canary, at_most: 5m}]\n",
        "rollout.stages[0].at_most: not longer than `at_least` (it is 10m where none is given)",
    ),
    "queries without a server": (
        "rollout: {guardrails: {queries: [{name: q, query: up, min: 1}]}}\n",
        "rollout.guardrails.queries: queries without `prometheus`; expected `prometheus`: the URL",
    ),
    "a query without bounds": (
        "rollout: {guardrails: {prometheus: 'http://p:9090', queries: [{name: q, query: up}]}}\n",
        "rollout.guardrails.queries[0]: neither `min` nor `max`",
    ),
    "bounds upside down": (
        "rollout: {guardrails: {prometheus: 'http://p', queries: [{name: q, query: up, min: 2, max: 1}]}}\n",
        "rollout.guardrails.queries[0].min: `min` 2 and `max` 1",
    ),
    "no URL": (
        "rollout: {guardrails: {prometheus: 'p:9090', queries: [{name: q, query: up, min: 2}]}}\n",
        "rollout.guardrails.prometheus: no http:// or https:// URL",
    ),
    "dead before it can speak": (
        "rollout: {interval: 5s, dead_man: 10s}\n",
        "rollout.dead_man: the controller looks every 5 s, and is taken for dead after 10 s",
    ),
    "slow past the end": (
        "rollout: {guardrails: {latency: {slo: 30s}}}\n",
        "rollout.guardrails.latency.slo: an answer is slow past 30 s, but after 20 s there is none",
    ),
    "no log to judge by": (
        "serving: {log: {enabled: false}}\nrollout:\n  stages: [{kind: shadow}, {kind: canary}]\n",
        "serving.log.enabled: false; expected the prediction log: the shadow is judged by it",
    ),
}
FINE = {
    "the defaults": "rollout: {}\n",
    "an experiment between canaries": (
        "rollout:\n  stages: [{kind: shadow}, {kind: canary}, "
        "{kind: experiment, success: [{event: click}, {event: retry, better: lower}]}, "
        "{kind: canary, share: 100}]\n"
    ),
    "an experiment at the canary's share": (
        "rollout:\n  stages: [{kind: canary, share: 50}, {kind: experiment, success: [{event: click}]}]\n"
    ),
    "no dead man": "rollout: {dead_man: 0s, interval: 60s}\n",
    "no log but canaries": "serving: {log: {enabled: false}}\nrollout: {stages: [{kind: canary}]}\n",
}


@pytest.mark.parametrize("text,told", WRONG.values(), ids=WRONG)
def test_what_it_cannot_mean(text, told):
    with pytest.raises(ProjectError) as caught:
        parse_project(RIGHT + text)
    problems = caught.value.problems
    assert len(problems) == 1 and told in str(problems[0])
    assert problems[0].line >= RIGHT.count("\n")


@pytest.mark.parametrize("text", FINE.values(), ids=FINE)
def test_what_it_can(text):
    assert parse_project(RIGHT + text).rollout.stages


@pytest.mark.parametrize(
    "text",
    [
        "3",
        "{stages: 3}",
        "{stages: [3]}",
        "{stages: [{kind: [1]}]}",
        "{stages: [{kind: canary, share: [], at_least: {}, at_most: x}]}",
        "{guardrails: {queries: {}, means: [1], prometheus: []}}",
        "{interval: [], dead_man: -1}",
    ],
)
def test_nonsense_is_told_and_breaks_nothing(text):
    with pytest.raises(ProjectError):
        parse_project(f"{RIGHT}rollout: {text}\n")
