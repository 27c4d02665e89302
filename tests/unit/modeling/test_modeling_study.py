"""Studies as data: merging, the best trial, files; the charts and the page made of them."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from splits_world import project

from evergreen.errors import DataError
from evergreen.modeling.tuning.charts import importances
from evergreen.modeling.tuning.page import study_page
from evergreen.modeling.tuning.study import Study, Trial, merge, read_studies, read_study, write_study

TUNE = {"space": {"learning_rate": {"low": 0.01, "high": 1}, "kind <b>": {"choices": ["a", None, True]}}}


def trial(study, number, value, **more):
    params = {"learning_rate": 0.01 + number / 40, "kind <b>": ["a", None, True][number % 3]}
    state = "complete" if value is not None else "failed"
    return Trial(study, number, params, more.pop("state", state), value, (0.5, 0.25), **more)


def studies(values=((0.5, 0.7, None), (0.7, 0.6))):
    return [
        Study(
            "roc_auc",
            True,
            tuple(trial(s, n, v) for n, v in enumerate(row)),
            {str(s): "trials"},
            {f"{s}/0": 1.5},
        )
        for s, row in enumerate(values)
    ]


@given(
    st.lists(
        st.lists(st.none() | st.sampled_from([0.1, 0.5, 0.9]), min_size=1, max_size=4),
        min_size=1,
        max_size=12,
    ),
    st.randoms(),
)
def test_the_order_of_merging_does_not_matter(values, order: random.Random):
    listed = studies(values)
    expected = merge(listed)
    order.shuffle(listed)
    assert merge(listed) == expected
    best = expected.best
    done = [t for t in expected.trials if t.value is not None]
    assert (best is None) == (not done)
    if best:
        assert best.value == max(t.value for t in done)
        first = next(t for t in done if t.value == best.value)
        assert (best.study, best.number) == (first.study, first.number)


def test_lower_is_better():
    one = studies()[0]
    assert Study("rmse", False, one.trials).best.value == 0.5
    assert merge([]).best is None and merge([Study()]).metric == ""


def test_files_read_back_equal_and_the_clock_is_apart(tmp_path):
    study = merge(studies())
    write_study(tmp_path / "a", study)
    assert read_study(tmp_path / "a") == study
    for k, one in enumerate(studies()):
        write_study(tmp_path / f"part{k}", one)
    assert read_studies([tmp_path / "part1", tmp_path / "part0"]) == study
    content = json.loads((tmp_path / "a" / "study.json").read_text())
    assert "seconds" not in json.dumps(content) and content["best"] == {"study": 0, "number": 1}
    assert json.loads((tmp_path / "a" / "seconds.json").read_text()) == {"0/0": 1.5, "1/0": 1.5}


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"trials": [{"a": 1}]}'])
def test_what_is_no_study(tmp_path, content):
    (tmp_path / "study.json").write_text(content)
    (tmp_path / "seconds.json").write_text("{}")
    with pytest.raises(DataError, match="not a study"):
        read_study(tmp_path)


def test_the_page_shows_every_trial_and_escapes():
    settings = project(model={"tune": TUNE})
    values = [0.5 + k / 30 for k in range(9)]
    trials = [trial(0, k, v) for k, v in enumerate(values)] + [
        trial(0, 9, None, error="<script>broken</script>")
    ]
    study = Study("roc_auc", True, tuple(trials), {"0": "timeout"}, {"0/3": 2.0})
    page = study_page(settings, study)
    assert page.count("<figure>") == 4
    assert "<script>broken" not in page and "&lt;script&gt;broken" in page
    assert "Out of time: studies 0" in page and "0/9" in page
    shares = importances(study, settings.model.tune)
    assert set(shares) == {"learning_rate", "kind <b>"} and abs(sum(shares.values()) - 1) < 1e-6
    assert shares == importances(study, settings.model.tune)


def test_the_page_of_an_empty_study():
    assert "no `model.tune`" in study_page(project(), Study())
