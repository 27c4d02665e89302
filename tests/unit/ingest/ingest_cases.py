"""Projects and files for the tests of ingest."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from evergreen.ingest.ingest import ingest
from evergreen.ingest.manifest import Ingested
from evergreen.project.model import Project


def project_of(
    path: Path | str | list[str], label: str = "y", features: Any = "*", **sections: Any
) -> Project:
    """A project with one source `rows`; `source`, `repair` and other sections as in the project file."""
    source = {"path": path if isinstance(path, list) else str(path), **sections.pop("source", {})}
    base = {
        "name": "test",
        "sources": {"rows": source, **sections.pop("sources", {})},
        "label": {"source": "rows", "column": label},
        "features": [{"name": "all", "source": "rows", "columns": features}],
        "resources": {"memory": "256MiB", "threads": 1},
    }
    return Project.model_validate({**base, **sections})


def ingested(project: Project, folder: Path, **options: Any) -> tuple[Ingested, Any]:
    """Ingest, and read the source `rows` back as a frame."""
    result = ingest(project, folder / "tables", **options)
    return result, pq.read_table(folder / "tables" / "rows").to_pandas()


def write(path: Path, text: str | bytes) -> Path:
    """Write a small file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
