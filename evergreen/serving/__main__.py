"""`python -m evergreen.serving MODEL@ALIAS --store URI --port N`: one model server process."""

import argparse
import os
import sys
from pathlib import Path

_FOLLOW_SECONDS = 2.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evergreen.serving", description=__doc__)
    parser.add_argument("model", help="such as coupons@baseline or coupons@3; with --bundle only a name")
    origin = parser.add_mutually_exclusive_group(required=True)
    origin.add_argument("--store", help="root of the registry: a folder, s3:// or gs://")
    origin.add_argument("--bundle", type=Path, help="a bundle's folder, to be served without a registry")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    settings = parser.add_mutually_exclusive_group()
    settings.add_argument("--project", type=Path, help="take the section `serving` of this project file")
    settings.add_argument(
        "--settings", type=Path, help="a file with that section as JSON; else EVERGREEN_SERVING holds it"
    )
    parser.add_argument(
        "--follow", type=float, nargs="?", const=_FOLLOW_SECONDS, metavar="SECONDS",
        help="look at the alias every so many seconds, and swap when it has moved",
    )  # fmt: skip
    parser.add_argument(
        "--drain-delay", type=float, default=0.0, metavar="SECONDS",
        help="after SIGTERM go on answering for so long, with readiness false",
    )  # fmt: skip
    parser.add_argument(
        "--log-spool", type=Path, metavar="DIR", help="write a prediction log, kept here first"
    )
    parser.add_argument("--log-store", default="", metavar="URI", help="ship it there instead of to --store")
    return parser.parse_args()


def main() -> int:
    """Serve until stopped; returns the exit code."""
    given = _arguments()
    from evergreen.threads import thread_limits

    os.environ.update(thread_limits(1))  # one request must not take every core
    from evergreen import log
    from evergreen.errors import EvergreenError
    from evergreen.serving.server import Options, serve, serve_bundle
    from evergreen.serving.settings import read_settings

    log.configure()
    try:
        options = Options(
            read_settings(given.project, given.settings), given.follow, given.drain_delay, given.log_spool,
            given.log_store,
        )  # fmt: skip
        if given.bundle:
            serve_bundle(given.bundle, given.model, host=given.host, port=given.port, options=options)
        else:
            serve(given.model, given.store, host=given.host, port=given.port, options=options)
    except EvergreenError as error:
        print(str(error), file=sys.stderr, flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
