"""What is served, as bytes and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evergreen.bundle import Input, Signature
from evergreen.bundle.signature import Prediction
from evergreen.serving.model import Identity
from evergreen.serving.predictions.entry import Outcome, Served
from evergreen.serving.predictions.ring import memory
from evergreen.serving.predictions.wire import (
    Catalog,
    pack_outcomes,
    pack_served,
    unpack_outcomes,
    unpack_served,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
IDENTITY = Identity("coupons", "3", "aa", "onnx")
SIGNATURE = Signature("binary", (Input("age", "number"), Input('in"come', "category")), ("no", "yes"), "yes")


def objects(values) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@st.composite
def requests(draw) -> Served:
    rows = draw(st.integers(1, 4))
    some = lambda what: draw(arrays(what, rows))  # noqa: E731
    column = st.one_of(arrays(np.float64, rows), st.lists(TEXT, min_size=rows, max_size=rows).map(objects))
    features = draw(st.one_of(arrays(np.float64, (3, rows)), st.lists(column, max_size=3)))
    values = draw(
        st.sampled_from([np.float32, np.float64, np.int64, bool, object]).flatmap(
            lambda kind: arrays(kind, rows) if kind is not object
            else st.lists(TEXT, min_size=rows, max_size=rows).map(objects)
        )
    )  # fmt: skip
    shares = draw(st.one_of(st.none(), arrays(np.float32, (rows, 2)), arrays(np.float64, (rows, 3))))
    made = draw(st.one_of(st.none(), st.just(Prediction(values, shares))))
    where = some(bool) if draw(st.booleans()) else None
    who = (draw(st.floats(0, 2e9)), draw(TEXT), draw(TEXT), draw(TEXT), IDENTITY, SIGNATURE)
    counts = [draw(st.integers(0, 9)) for _ in range(3)]
    status = draw(st.integers(200, 499))
    return Served(*who, features, rows, made, draw(st.floats(0, 9)), status, *counts, where)


def same(one, other) -> None:
    assert (one is None) == (other is None)
    if one is not None:
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@settings(max_examples=150, deadline=None)
@given(requests())
def test_a_request_comes_back_as_it_was(served):
    catalog = Catalog(memory(0))
    back = unpack_served(
        pack_served(served, catalog.number(IDENTITY, SIGNATURE)), Catalog(catalog.descriptor)
    )
    for name in Served.__struct_fields__:
        one, other = getattr(served, name), getattr(back, name)
        if name == "arrays" and isinstance(one, list):
            assert len(one) == len(other)
            for column, again in zip(one, other, strict=True):
                same(column, again)
        elif name in ("arrays", "empty_rows"):
            same(one, other)
        elif name == "prediction" and one is not None:
            same(one.values, other.values)
            same(one.probabilities, other.probabilities)
        else:
            assert one == other


def test_outcomes_come_back():
    outcomes = [Outcome(1.5, "r1", "u", "click"), Outcome(2.0, "", "ü", "paid", 3.25)]
    assert unpack_outcomes(pack_outcomes(outcomes)) == outcomes


def test_every_model_is_in_the_catalog_once():
    catalog = Catalog(memory(0))
    others = [Identity("coupons", str(k), f"{k:064x}", "native") for k in range(5)]
    numbers = [catalog.number(identity, SIGNATURE) for identity in others * 2]
    assert numbers == [*range(5)] * 2
    reader = Catalog(catalog.descriptor)
    assert [reader.find(number) for number in (4, 0, 2)] == [(others[k], SIGNATURE) for k in (4, 0, 2)]
    with pytest.raises(KeyError):
        reader.find(5)
    assert catalog.number(IDENTITY, SIGNATURE) == 5 and reader.find(5) == (IDENTITY, SIGNATURE)


def test_a_text_that_is_not_unicode_is_refused_here():
    bad = Served(1.0, "\ud800", "", "", IDENTITY, SIGNATURE, [], 1, None, 0.1)
    with pytest.raises(UnicodeEncodeError):
        pack_served(bad, 0)
