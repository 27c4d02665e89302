"""Every gate as a person calls it: files in, findings out, all settings at their defaults."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from fault_world import Frame, Options

from evergreen.findings import Finding, no
from evergreen.project.model import DataGate, Media, Project


def write(frame: Frame, path: Path) -> Path:
    """Write a table as Parquet, or as CSV by the name's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
        return path
    rows = frame
    assert len(rows.columns)
    duckdb.sql("SELECT * FROM rows").write_parquet(str(path))
    return path


def data(folder: Path, before: Frame, after: Frame, options: Options | None = None) -> Sequence[Finding]:
    """`evergreen validate after --baseline before`, schema inferred from the baseline."""
    from evergreen.profile.validation.files import check_file

    options = options or Options()
    gate = DataGate.model_validate({"mode": "fail", "drift": "fail", "min_rows": 1})
    now = write(after, folder / ("after.csv" if options.csv else "after.parquet"))
    checked = check_file(
        now, write(before, folder / "before.parquet"), None, gate, roles=options.roles, slices=options.slices
    )
    return checked.validation.findings


def project(**sections: Any) -> Project:
    """A project of one source `s` with the label `y`."""
    base = {
        "name": "faults",
        "sources": {"s": {"path": "s.parquet"}},
        "label": {"source": "s", "column": "y"},
        "features": [{"name": "plain", "source": "s", "columns": "*"}],
    }
    return Project.model_validate({**base, **sections})


def splits(folder: Path, table: Frame, settings: Project) -> Path:
    """A training set of features, the label `y` and the key `id`, split at random."""
    from evergreen.modeling.splitting.split import split_training_set

    kinds = {"b": "boolean", "i": "number", "u": "number", "f": "number"}
    features = [
        {"name": c, "group": "plain", "type": kinds.get(table[c].dtype.kind, "category"), "source": "s"}
        for c in table if c not in ("y", "id")
    ]  # fmt: skip
    write(table, folder / "training_set" / "data" / "part-00000.parquet")
    about = {
        "name": "faults", "rows": len(table), "digest": "0" * 64, "version": 0, "entity": [],
        "time": None, "label": "y", "key": ["id"], "features": features,
        "excluded": {},
    }  # fmt: skip
    (folder / "training_set" / "meta.json").write_text(json.dumps(about))
    split_training_set(settings, folder / "training_set", folder / "splits")
    return folder / "splits"


def labels(folder: Path, table: Frame, before: Frame | None = None) -> Sequence[Finding]:
    """`validate_labels` on a split of the table, with the profile of an earlier one as baseline."""
    from evergreen.labels.validate import validate_labels
    from evergreen.profile import profile_table

    settings = project()
    made = splits(folder, table, settings)
    baseline = None
    if before is not None:
        baseline = profile_table(write(before, folder / "before.parquet"), {"y": "label", "id": "key"})
    return validate_labels(settings, made, folder / "review", baseline=baseline).findings


def labels_of_file(folder: Path, table: Frame) -> Sequence[Finding]:
    """`evergreen init` on a file with the label `y`, then ingestion, training set, split and their labels."""
    from evergreen.history.build import build_training_set
    from evergreen.ingest.ingest import ingest
    from evergreen.labels.validate import validate_labels
    from evergreen.modeling.splitting.split import split_training_set
    from evergreen.project import load_project
    from evergreen.project.init.write import write_project

    file = write(table, folder / "table.parquet")
    settings = load_project(write_project(folder / "project", [file], "y", None, None, name="faults"))
    ingest(settings, folder / "tables")
    build_training_set(settings, folder / "tables", folder / "training_set")
    split_training_set(settings, folder / "training_set", folder / "splits")
    return validate_labels(settings, folder / "splits", folder / "review").findings


def features(folder: Path, table: Frame, label: str, time: str | None = None) -> Sequence[Finding]:
    """`evergreen features FILE --label …`."""
    from evergreen.modeling.selection.standalone import select_in_file

    return select_in_file(write(table, folder / "table.parquet"), label, time=time).findings


def skew(folder: Path, training: Frame, serving: Frame, meta: Mapping[str, Any]) -> Sequence[Finding]:
    """`check_skew` of a training set, whose `meta.json` says what columns mean, and what was served."""
    from evergreen.skew import check_skew

    write(training, folder / "training" / "data" / "part-00000.parquet")
    (folder / "training" / "meta.json").write_text(json.dumps({**meta, "rows": len(training)}))
    return check_skew(folder / "training", write(serving, folder / "serving.parquet")).findings


def sources(folder: Path, tables: Mapping[str, Frame], settings: Project, now: datetime) -> Sequence[Finding]:
    """The checks of the ingested sources: freshness, rows, references, rules."""
    from evergreen.profile.validation.sources import check_sources

    for name, table in tables.items():
        write(table, folder / name / "part-00000.parquet")
    return check_sources(settings, folder, now).findings


def repair(folder: Path, table: Frame) -> Sequence[Finding]:
    """`evergreen repair FILE.csv` with the policy it proposes: what it changed, and what it finds.

    A change is told as a finding `repaired RULE`: a repair shows each to a person before it is made.
    """
    from evergreen.repair.standalone import repaired_file

    with repaired_file(str(write(table, folder / "table.csv"))) as (_, done):
        changed = [
            no(f"repaired {c.rule}", r.column, "warn", c.rule, count=c.rows, gate="repair")
            for r in done.repaired.results for c in r.changes
        ]  # fmt: skip
        return [*done.repaired.findings, *changed]


def media(folder: Path, before: Path, after: Path) -> Sequence[Finding]:
    """`evergreen media` of both folders, then `evergreen validate` of their tables."""
    from evergreen.media.command import describe_folder
    from evergreen.profile.validation.files import check_file

    made = [
        describe_folder(path, folder / f"{name}.parquet", "auto", Media())
        for name, path in (("before", before), ("after", after))
    ]
    gate = DataGate.model_validate({"mode": "fail", "drift": "fail", "min_rows": 1})
    roles = {"path": "key"}
    checked = check_file(folder / "after.parquet", folder / "before.parquet", None, gate, roles=roles)
    return [*made[1].findings, *checked.validation.findings]


def bootstrap(table: Frame, rng: np.random.Generator, rows: int) -> Frame:
    """Rows drawn at random without repeating one: a smaller table of the same world."""
    return table.iloc[np.sort(rng.permutation(len(table))[:rows])].reset_index(drop=True)
