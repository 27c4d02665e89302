"""One sub-study as a process (`python -m evergreen.modeling.tuning.substudy REQUEST`), started by `tune`.

It ends with its parent, however that ends: its standard input is a pipe that only the parent holds open.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from evergreen import errors, log
from evergreen.files import write_text


def main(request_file: str) -> int:
    """Run the sub-study of a request file; the result, or `error.json`, goes to its `out` folder."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    log.configure()
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    out = Path(request["out"])
    try:
        from evergreen.modeling.tuning.search import prepare, run_substudy
        from evergreen.modeling.tuning.study import write_study
        from evergreen.project import parse_project

        selection = Path(request["selection"]) if request["selection"] else None
        setting = prepare(parse_project(request["project"]), Path(request["splits"]), selection)
        study = run_substudy(setting, request["index"], request["deadline"], request["threads"])
        write_study(out, study)
    except errors.EvergreenError as error:
        write_text(out / "error.json", json.dumps(pack(error), default=str))
        return error.exit_code
    return 0


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


def pack(error: errors.EvergreenError) -> dict[str, Any]:
    """An error as plain data."""
    if isinstance(error, errors.InputError) and not isinstance(error, errors.ProjectError):
        arguments = [error.where, error.found, error.expected, error.remedy]
        return {"type": type(error).__name__, "arguments": arguments}
    return {"type": "Fault", "arguments": [str(error)]}


def unpack(content: dict[str, Any]) -> errors.EvergreenError:
    """The error that `pack` wrote."""
    kinds: dict[str, type[errors.EvergreenError]] = {
        "InputError": errors.InputError,
        "DataError": errors.DataError,
        "StorageError": errors.StorageError,
        "NotFoundError": errors.NotFoundError,
        "BundleError": errors.BundleError,
    }
    return kinds.get(content["type"], errors.Fault)(*content["arguments"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
