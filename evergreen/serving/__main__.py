"""`python -m evergreen.serving MODEL@ALIAS --store URI --port N`: one model server process."""

import argparse
import os
import sys
from pathlib import Path

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> int:
    """Serve until stopped; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evergreen.serving", description=__doc__)
    parser.add_argument("model", help="such as coupons@baseline or coupons@3; with --bundle only a name")
    origin = parser.add_mutually_exclusive_group(required=True)
    origin.add_argument("--store", help="root of the registry: a folder, s3:// or gs://")
    origin.add_argument("--bundle", type=Path, help="a bundle's folder, to be served without a registry")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    given = parser.parse_args()
    # Numerical libraries read these once, at import: one request must not take every core.
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    from evergreen import log
    from evergreen.errors import EvergreenError
    from evergreen.serving.server import serve, serve_bundle

    log.configure()
    try:
        if given.bundle:
            serve_bundle(given.bundle, given.model, host=given.host, port=given.port)
        else:
            serve(given.model, given.store, host=given.host, port=given.port)
    except EvergreenError as error:
        print(str(error), file=sys.stderr, flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
