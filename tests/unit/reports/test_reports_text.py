"""How values read."""

import pytest

from evergreen.reports import text


@pytest.mark.parametrize(
    "value,shown",
    [
        (None, "–"), (float("nan"), "–"), (float("inf"), "∞"), (0.0, "0"), (0.5, "0.5000"),
        (0.12345, "0.1235"), (1.0, "1"), (3.14159, "3.142"), (123.456, "123.5"), (1234.5, "1,234"),
        (1234567, "1,234,567"), (-2.5, "−2.500"), (1e-7, "1e−07"), (2.5e12, "2.5e+12"), (True, "yes"),
        ("text", "text"),
    ],
)  # fmt: skip
def test_number(value, shown):
    assert text.number(value) == shown


@pytest.mark.parametrize(
    "value,shown", [(0.42, "0.4 s"), (12.3, "12 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (None, "–")]
)
def test_seconds(value, shown):
    assert text.seconds(value) == shown


@pytest.mark.parametrize("value,shown", [(812, "812 B"), (3_565_158, "3.4 MiB"), (None, "–")])
def test_size(value, shown):
    assert text.size(value) == shown


def test_the_rest():
    assert text.percent(0.1234) == "12.3 %" and text.percent(None) == "–"
    assert text.interval(0.1, 0.2) == "0.1000 to 0.2000" and text.interval(None, 1) == ""
    assert text.metric_name("roc_auc") == "ROC AUC" and text.metric_name("some_rate") == "some rate"
