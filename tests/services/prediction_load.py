"""A process that serves made-up requests into a prediction log until it is killed: FOLDER STORE SECONDS.

After each request that the log took, its id goes to standard output, unbuffered: that is when a client would
have had its answer. `written`, the number of requests that are in the log's files, and the time go there when
that number has changed.
"""

import os
import secrets
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np

from evergreen.bundle import Input, Signature
from evergreen.bundle.signature import Prediction
from evergreen.project.model.serving import PredictionLog
from evergreen.serving.model import Identity
from evergreen.serving.predictions.config import LogConfig
from evergreen.serving.predictions.entry import Served
from evergreen.serving.predictions.logger import PredictionLogger

SIGNATURE = Signature("binary", (Input("age", "number"), Input("city", "category")), ("no", "yes"), "yes")
IDENTITY = Identity("coupons", "1", "aa", "onnx")


def main() -> None:
    """Serve about 2,000 requests a second, closing a segment every 0.3 seconds."""
    spool, store, flush = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    settings = PredictionLog(flush=timedelta(seconds=flush), rotate=timedelta(seconds=0.3))
    log = PredictionLogger(
        LogConfig(settings=settings, model="coupons", spool=spool, store=store, salt="salt")
    )
    number, name, written = 0, secrets.token_hex(4), 0
    while True:
        if written != log.written:
            written = log.written
            os.write(1, f"written {written} {time.monotonic():.6f}\n".encode())
        for _ in range(4):
            arrays = [np.array([float(number)]), np.array([f"city {number % 9}"], dtype=object)]
            made = Prediction(np.array(["yes"], dtype=object), np.array([[0.25, 0.75]]))
            request = f"{name}-{number}"
            taken = log.record(
                Served(time.time(), request, "", "", IDENTITY, SIGNATURE, arrays, 1, made, 0.001)
            )
            if taken:
                os.write(1, f"{request}\n".encode())
                number += 1
        time.sleep(0.002)


if __name__ == "__main__":
    main()
