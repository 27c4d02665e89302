"""What a server hands to the prediction log: cheap to make, for one is made for every request."""

import msgspec
import numpy as np

from evergreen.bundle.signature import Prediction, Signature
from evergreen.serving.model import Identity


class Served(msgspec.Struct, gc=False):
    """One request that was answered, or refused.

    The arrays are those that the model saw, and must not be changed afterwards. For a refused request
    `arrays` is empty and `prediction` None: it becomes one row without features.

    Attributes:
        time: When the answer was ready, in seconds since 1970.
        request_id: Of the request; shadow and baseline have the same one.
        user: The user's key (`evergreen.serving.users.user_key`), never the raw id; empty for none.
        arm: `baseline`, `candidate`, `shadow`, or empty.
        identity: What answered.
        signature: Of the model that answered.
        arrays: One array [rows] a column, in the order of the signature: doubles with NaN for a missing
            value, or objects (text) with the empty text for one. One block [columns, rows] of doubles is
            much quicker.
        rows: The number of rows.
        prediction: What was predicted; None when the request was refused.
        seconds: From the request's arrival until the answer was ready.
        status: The HTTP status.
        missing: How many values of the request were missing.
        imputed: How many values were imputed, or columns ignored, by policy.
        empty: How many rows have an empty output.
        empty_rows: Which rows those are, [rows] of booleans; None where the number says it: none or all.
    """

    time: float
    request_id: str
    user: str
    arm: str
    identity: Identity
    signature: Signature
    arrays: np.ndarray | list[np.ndarray]
    rows: int
    prediction: Prediction | None
    seconds: float
    status: int = 200
    missing: int = 0
    imputed: int = 0
    empty: int = 0
    empty_rows: np.ndarray | None = None


class Outcome(msgspec.Struct, gc=False):
    """What happened after a prediction.

    Attributes:
        time: When it happened, in seconds since 1970.
        request_id: Of the request that it belongs to; may be empty where the user says it.
        user: The user's key, never the raw id; empty for none.
        event: Its kind, such as `click`, `conversion` or `retry`.
        value: Such as 1 for a click, or what was paid.
    """

    time: float
    request_id: str
    user: str
    event: str
    value: float = 1.0
