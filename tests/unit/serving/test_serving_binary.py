import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.serving.binary import DTYPES, json_length, read_values, write_values
from evergreen.serving.protocol import Refusal, Tensor, TensorParameters


def tensor(datatype, shape, size, name="a", data=None):
    return Tensor(name, shape, datatype, data, TensorParameters(size))


def packed(*texts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(t)) + t for t in texts)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=6), min_size=1, max_size=5), st.sampled_from(sorted(DTYPES)))
def test_what_is_written_is_read(texts, datatype):
    numbers = np.arange(len(texts)).astype(DTYPES[datatype]) % 2
    blob = write_values("BYTES", texts)
    body = b"{}" + blob + write_values(datatype, numbers)
    first = tensor("BYTES", [len(texts)], len(blob))
    second = tensor(datatype, [len(texts), 1], numbers.nbytes)
    got_texts, got = read_values([first, second], body, 2)
    assert got_texts == texts
    assert got.tolist() == numbers.tolist() and got.dtype == DTYPES[datatype]
    assert not got.flags.owndata, "numbers are read where they lie"


def test_a_tensor_in_json_has_no_bytes():
    assert read_values([Tensor("a", [1], "FP32", [1.0])], b"{}", 2) == [None]


BAD = [
    (tensor("FP32", [1], 8), b"12345678", "8 bytes for shape [1] of FP32; expected 4 bytes"),
    (tensor("FP32", [2], 8), b"1234", "binary_data_size 8; expected 0 to 4"),
    (tensor("FP32", [1], -4), b"1234", "binary_data_size -4"),
    (tensor("FP32", [-1], 4), b"1234", "4 bytes for shape [-1]"),
    (tensor("FP32", [10**30], 4), b"1234", "4 bytes for shape"),
    (tensor("FP128", [1], 16), b"1" * 16, "datatype 'FP128'"),
    (tensor("FP32", [1], 4, data=[1]), b"1234", "`data` and `binary_data_size`"),
    (tensor("FP32", [1], 4), b"1234567", "3 bytes behind the last tensor"),
    (tensor("BYTES", [1], 2), b"12", "row 0: a length that is cut off"),
    (tensor("BYTES", [1], 6), b"\xff\xff\xff\xffab", "a text of 4294967295 bytes where 2 are left"),
    (tensor("BYTES", [1], 6), packed(b"\xff\xfe"), "row 0: bytes that are not UTF-8"),
    (tensor("BYTES", [2], 5), packed(b"a"), "1 texts; expected 2"),
]


@pytest.mark.parametrize("given_tensor,blob,words", BAD, ids=[w[:20] for _, _, w in BAD])
def test_sizes_that_lie_are_a_400_that_says_so(given_tensor, blob, words):
    with pytest.raises(Refusal) as caught:
        read_values([given_tensor], b"{}" + blob, 2)
    assert caught.value.status == 400 and words in str(caught.value)


@pytest.mark.parametrize("header", ["", "-1", "4", "x", "1e3", "9" * 5000, "１"])
def test_a_header_that_is_no_length_is_a_400(header):
    with pytest.raises(Refusal, match="Inference-Header-Content-Length"):
        json_length(header, b"{}!")
    assert json_length("3", b"{}!") == 3
