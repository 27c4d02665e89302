"""A client of the Open Inference Protocol that knows nothing of us: NVIDIA's tritonclient, unchanged."""

import numpy as np
import pytest
import tritonclient.http as triton
from model_server import HELP, ODD, Server
from tritonclient.utils import InferenceServerException

from evergreen.bundle import load_bundle

pytestmark = pytest.mark.service
KINDS = ("binary", "multiclass", "regression", "native")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    root = tmp_path_factory.mktemp("bundles")
    return {kind: HELP["make_bundle"](root / kind, kind) for kind in KINDS}


@pytest.fixture(scope="module", params=KINDS)
def served(request, bundles, tmp_path_factory):
    """A client, and the bundle that it talks to."""
    log = tmp_path_factory.mktemp("log") / "log"
    server = Server(bundles[request.param], log).until("/v2/health/ready")
    client = triton.InferenceServerClient(f"127.0.0.1:{server.port}", concurrency=4)
    yield client, load_bundle(bundles[request.param], threads=1)
    client.close()
    assert server.stop() == 0


def tensors(table, *, binary: bool, shape=lambda n: [n, 1]):
    arrays = {
        "age": (table["age"].astype(np.float32), "FP32"),
        ODD: (table[ODD].astype(np.float64), "FP64"),
        "city": (table["city"].astype(object), "BYTES"),
        "vip": (table["vip"].astype(bool), "BOOL"),
    }
    inputs = []
    for name, (array, datatype) in arrays.items():
        given = triton.InferInput(name, shape(len(array)), datatype)
        given.set_data_from_numpy(array.reshape(shape(len(array))), binary_data=binary)
        inputs.append(given)
    return inputs


def table_without_gaps(rows: int):
    """JSON of this client has no way to send a missing number."""
    table = HELP["make_table"](rows, 5)
    return table | {"age": np.nan_to_num(table["age"], nan=33.0)}


def check(result, bundle, table):
    expected = bundle.predict({**table, "age": table["age"].astype(np.float32).astype(float)})
    got = result.as_numpy("prediction")
    if got.dtype == object:
        got = np.array([v.decode() if isinstance(v, bytes) else v for v in got], dtype=object)
    if expected.probabilities is None:
        np.testing.assert_allclose(got, expected.values, rtol=1e-5)
        return
    assert got.tolist() == expected.values.tolist()
    np.testing.assert_allclose(result.as_numpy("probabilities"), expected.probabilities, atol=1e-6)


def test_the_server_describes_itself(served):
    client, bundle = served
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("demo") and client.is_model_ready("demo", "0")
    assert not client.is_model_ready("other") and not client.is_model_ready("demo", "7")
    assert client.get_server_metadata()["name"] == "evergreen"
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    about = client.get_model_metadata("demo")
    assert [i["name"] for i in about["inputs"]] == [i.name for i in bundle.signature.inputs]
    assert [o["name"] for o in about["outputs"]] == [o["name"] for o in bundle.signature.outputs]
    (listed,) = client.get_model_repository_index()
    assert (listed["name"], listed["version"], listed["state"]) == ("demo", "0", "READY")


@pytest.mark.parametrize("rows", [1, 50])
@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False, None])
def test_infer_gives_the_bundle_s_own_answers(served, rows, binary_in, binary_out):
    client, bundle = served
    table = HELP["make_table"](rows, 5) if binary_in else table_without_gaps(rows)
    outputs = None
    if binary_out is not None:
        names = [o["name"] for o in bundle.signature.outputs]
        outputs = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in names]
    result = client.infer("demo", tensors(table, binary=binary_in), outputs=outputs, request_id="r-1")
    assert result.get_response()["id"] == "r-1"
    check(result, bundle, table)


def test_mixed_outputs_flat_shapes_compression_and_versions(served):
    client, bundle = served
    table = HELP["make_table"](7, 5)
    wishes = [triton.InferRequestedOutput("prediction", binary_data=False)]
    if bundle.signature.has_probabilities:
        wishes.append(triton.InferRequestedOutput("probabilities", binary_data=True))
    inputs = tensors(table, binary=True, shape=lambda n: [n])
    check(client.infer("demo", inputs, outputs=wishes, model_version="0"), bundle, table)
    for packing in ("gzip", "deflate"):
        check(client.infer("demo", inputs, request_compression_algorithm=packing), bundle, table)


def test_many_at_once(served):
    client, bundle = served
    tables = [HELP["make_table"](1 + k, k) for k in range(8)]
    waiting = [client.async_infer("demo", tensors(table, binary=True)) for table in tables]
    for answer, table in zip(waiting, tables, strict=True):
        check(answer.get_result(), bundle, table)


def test_errors_are_the_protocol_s(served):
    client, _ = served
    table = HELP["make_table"](2, 5)
    good = tensors(table, binary=True)

    def refused(status, words, *args, **more):
        with pytest.raises(InferenceServerException) as caught:
            client.infer(*args, **more)
        assert caught.value.status() == status and words in caught.value.message()

    refused("404", "model 'other': is not served here", "other", good)
    refused("404", "version '7'", "demo", good, model_version="7")
    refused("400", "not given", "demo", good[1:])
    wish = [triton.InferRequestedOutput("nope")]
    refused("400", "output 'nope': not an output of this model", "demo", good, outputs=wish)
    wrong = triton.InferInput("age", [2, 1], "BYTES")
    wrong.set_data_from_numpy(np.array([["a"], ["b"]], dtype=object))
    refused("400", "column 'age', row 0", "demo", [wrong, *good[1:]])
    with pytest.raises(InferenceServerException, match="not loaded over HTTP"):
        client.load_model("demo")
