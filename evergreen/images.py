"""The container images that components run in; the tag is the package's version.

`EVERGREEN_IMAGE` in the environment of `evergreen compile` or `make compile` names another one, for a
registry of your own.
"""

import os

from evergreen import __version__

IMAGE = os.environ.get("EVERGREEN_IMAGE", f"ghcr.io/evergreen-kfp/evergreen-python:{__version__}")
