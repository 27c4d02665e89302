"""Small frames written as `ingest` writes tables, and a training set built from them and read back."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from evergreen.history import TrainingSet, build_training_set
from evergreen.ingest.manifest import Ingested, SourceTable, write_manifest
from evergreen.project.model import Project


def write_tables(folder: Path, tables: Mapping[str, pa.Table | pd.DataFrame]) -> Path:
    """Write tables and a manifest that names them."""
    sources = {}
    for name, table in tables.items():
        arrow = table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)
        (folder / name).mkdir(parents=True)
        pq.write_table(arrow, folder / name / "part-00000.parquet")
        sources[name] = SourceTable((), "parquet", arrow.num_rows, 0, "", None, {})
    write_manifest(folder, Ingested(sources))
    return folder


def project_of(**sections: Any) -> Project:
    """A project with small resources; sections as in the project file."""
    base = {"name": "test", "resources": {"memory": "256MiB", "threads": 1}}
    return Project.model_validate({**base, **sections})


def build(
    project: Project, tables: Mapping[str, pa.Table | pd.DataFrame], purpose: str = "train"
) -> tuple[TrainingSet, pd.DataFrame]:
    """Build a training set in a folder of its own; its description and its rows."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        written = write_tables(root / "tables", tables)
        result = build_training_set(project, written, root / "training_set", purpose=purpose)
        return result, pq.read_table(root / "training_set" / "data").to_pandas()
