"""`python -m evergreen.rollout.router.leave`: what the agent of a pod does before the pod ends.

From now on Envoy answers with `Connection: close`, while it still takes what comes: so clients come back to
another router, and none is cut off. Kubernetes runs it before it ends the containers (`preStop`).
"""

import argparse
import http.client
import sys
import time


def main() -> int:
    """Say so to Envoy, then wait; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evergreen.rollout.router.leave", description=__doc__)
    parser.add_argument("--admin", default="127.0.0.1:9901", metavar="HOST:PORT", help="Envoy's admin page")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long clients have to go")
    given = parser.parse_args()
    end = time.monotonic() + given.seconds
    host, _, port = given.admin.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=2.0)
    try:
        connection.request("POST", "/healthcheck/fail")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException) as error:
        print(f"Envoy's admin page at {given.admin} does not answer: {error}", file=sys.stderr)
    finally:
        connection.close()
    time.sleep(max(0.0, end - time.monotonic()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
