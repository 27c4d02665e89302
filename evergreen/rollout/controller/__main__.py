"""`python -m evergreen.rollout.controller`: the controller as a process of its own."""

import sys

from evergreen.rollout.controller.command import main

if __name__ == "__main__":
    sys.exit(main())
