"""Batch prediction: gated on a blessing, sharded, resumable, the same bytes when run again."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from evergreen import log
from evergreen.bundle.encode import check_columns
from evergreen.bundle.load import Bundle, load_bundle
from evergreen.bundle.manifest import verify
from evergreen.errors import DataError, InputError
from evergreen.files import sha256
from evergreen.serving import shards
from evergreen.serving.shards import Plan
from evergreen.tables import parts, read_meta, write_meta

if TYPE_CHECKING:
    from evergreen.project.model import Project
    from evergreen.registry import Registry
    from evergreen.storage import Store

_log = log.get(__name__)


@dataclass(frozen=True)
class Source:
    """The model that a batch prediction uses.

    Attributes:
        folder: The bundle.
        name: The model's name.
        version: Its version in the registry.
        blessed: Whether the gate said yes to it.
    """

    folder: Path
    name: str
    version: int
    blessed: bool


@dataclass(frozen=True)
class Settings:
    """How a batch prediction is cut and what goes into it.

    Attributes:
        shard_rows: Rows of a shard.
        keep: Columns of the rows to keep beside the keys.
        threads: What a prediction may use; 0 means every core.
    """

    shard_rows: int = 100_000
    keep: tuple[str, ...] = ()
    threads: int = 0

    @classmethod
    def of(cls, project: "Project") -> "Settings":
        """What a project file says."""
        return cls(project.predict.shard_rows, tuple(project.predict.keep), project.resources.threads or 0)


@dataclass(frozen=True)
class BatchResult:
    """What a batch prediction did.

    Attributes:
        plan: What the shards are made of.
        bundle: The model that predicted.
        uri: Where in the store the shards are kept.
        done: Numbers of the shards that this run computed.
        skipped: Numbers of the shards that an earlier run had finished.
        files: The shards' files in the output folder, in order.
    """

    plan: Plan
    bundle: Bundle
    uri: str
    done: tuple[int, ...]
    skipped: tuple[int, ...]
    files: tuple[Path, ...]


def blessed_source(registry: "Registry", name: str, folder: Path) -> Source:
    """The version of a model whose bundle lies in `folder`, by the registry's word, not by the folder's.

    Raises:
        InputError: the folder is empty, or the registry has no blessed version with this digest.
        BundleError: the bundle was changed.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        raise InputError(f"model {name}", "there is none yet", remedy="Run the train pipeline first.")
    digest = verify(folder)["digest"]
    for version in reversed(registry.versions(name)):
        if version.digest == digest and version.blessed:
            return Source(folder, name, version.version, blessed=True)
    raise InputError(
        f"model {name}, digest {digest[:12]}", f"is not blessed by the registry {registry.uri}",
        "a version that passed its gate", "Run the train pipeline, or name an alias of a blessed version.",
    )  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A batch prediction that may begin: model and rows fit each other.

    Attributes:
        source: The model.
        bundle: The same, loaded.
        plan: What the shards are made of.
        files: The rows' Parquet files, in order.
        types: The Arrow type of every column of the rows.
        place: Where in the store the shards are kept.
    """

    source: Source
    bundle: Bundle
    plan: Plan
    files: tuple[Path, ...]
    types: Mapping[str, pa.DataType]
    place: "Store"

    @classmethod
    def of(cls, rows: Path, source: Source, store: "Store", settings: Settings) -> "Job":
        """Check the model against the rows.

        Args:
            rows: A folder of `build_training_set`: `data/part-*.parquet` and `meta.json`.
            source: The model; refused unless it is blessed.
            store: The project's store.
            settings: How to cut it.

        Raises:
            InputError: the model is not blessed; a column is missing, of another type, or named like an
                output.
            BundleError: the bundle was changed.
            DataError: the rows are not sound Parquet.
        """
        if not source.blessed:
            raise InputError(
                f"model {source.name}@{source.version}", "is not blessed", "a version that passed the gate",
                "Run the train pipeline, or name an alias of a blessed version.",
            )  # fmt: skip
        bundle = load_bundle(source.folder, threads=settings.threads)
        files, meta = parts(Path(rows)), read_meta(Path(rows))
        types = _types(files)
        check_columns(bundle.signature, types)
        plan = Plan(
            f"{source.name}@{source.version}", bundle.digest, meta["digest"], _count(files, meta),
            settings.shard_rows, _kept(meta, settings.keep, types, bundle),
        )  # fmt: skip
        return cls(source, bundle, plan, tuple(files), types, store.child(plan.prefix))

    def do(self, shard: int, path: Path) -> bool:
        """Put a shard at `path`: an earlier run's, where it is sound (then True), else computed and kept."""
        if shards.fetch_sound(self.place, self.plan, shard, path):
            return True
        shards.write_shard(self.bundle, self.plan, shard, self.files, self.types, path)
        shards.keep(self.place, self.plan, shard, path)
        return False


def predict_share(job: Job, share: int, shares: int) -> tuple[list[int], list[int]]:
    """Compute and keep one task's share of the shards: those whose number leaves `share` modulo `shares`.

    Returns:
        The shards that were computed, and those that an earlier run had finished.

    Raises:
        InputError: when there is no such share.
    """
    if not 0 <= share < shares:
        raise InputError("share", f"{share} of {shares}", "a number from 0 to the number of shares less one")
    done: list[int] = []
    skipped: list[int] = []
    with tempfile.TemporaryDirectory(prefix="evergreen-predict-") as scratch:
        for shard in range(share, job.plan.count, shares):
            path = Path(scratch) / shards.part_name(shard)
            (skipped if job.do(shard, path) else done).append(shard)
            path.unlink()
            _log.info("shard kept", extra={"shard": shard, "of": job.plan.count})
    return done, skipped


def predict_batch(
    rows: Path,
    source: Source,
    out: Path,
    store: "Store",
    settings: Settings,
    watch: Callable[[int, bool], None] = lambda shard, skipped: None,
) -> BatchResult:
    """Predict every row of a table of features, shard by shard.

    Finished shards are kept in the store under `predictions/<model digest>-<rows digest>/`; the next run
    takes those whose digest still holds and computes the others.

    Args:
        rows: A folder of `build_training_set`: `data/part-*.parquet` and `meta.json`.
        source: The model; refused unless it is blessed.
        out: The folder for the predictions: `part-*.parquet` and `manifest.json`.
        store: The project's store.
        settings: How to cut it.
        watch: Called after every shard with its number and whether it was skipped.

    Raises:
        InputError, BundleError, DataError: as `Job.of`.
    """
    job = Job.of(rows, source, store, settings)
    plan, place = job.plan, job.place
    out.mkdir(parents=True, exist_ok=True)
    done: list[int] = []
    skipped: list[int] = []
    for shard in range(plan.count):
        sound = job.do(shard, out / shards.part_name(shard))
        (skipped if sound else done).append(shard)
        watch(shard, sound)
    made = tuple(out / shards.part_name(shard) for shard in range(plan.count))
    write_meta(out, _manifest(plan, source, made), "manifest.json")
    shards.tidy(place, plan)
    place.write("manifest.json", (out / "manifest.json").read_bytes())
    _log.info("predicted", extra={"rows": plan.rows, "done": len(done), "skipped": len(skipped)})
    return BatchResult(plan, job.bundle, place.uri, tuple(done), tuple(skipped), made)


def _types(files: Sequence[Path]) -> dict[str, pa.DataType]:
    """The Arrow type of every column, which all files must share."""
    schemas = []
    for path in files:
        try:
            schemas.append(pq.read_schema(path).remove_metadata())
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(
                str(path), f"not sound Parquet ({error})", remedy="Make the rows again."
            ) from error
        if schemas[-1] != schemas[0]:
            raise DataError(
                str(path), "has other columns than the files before it", remedy="Make the rows again."
            )
    return {field.name: field.type for field in schemas[0]}


def _count(files: Sequence[Path], meta: Mapping[str, Any]) -> int:
    rows = sum(pq.read_metadata(path).num_rows for path in files)
    if rows != meta.get("rows", rows):
        raise DataError(
            str(files[0].parent), f"{rows} rows", f"{meta['rows']}, as meta.json says", "Make them again."
        )
    return rows


def _kept(
    meta: Mapping[str, Any], keep: Sequence[str], types: Mapping[str, pa.DataType], bundle: Bundle
) -> tuple[str, ...]:
    """The columns that go with each prediction: what says which row it is, and those asked for."""
    about = [*meta.get("key", []), *meta.get("entity", []), meta.get("time"), *keep]
    names = tuple(dict.fromkeys(name for name in about if name))
    for name in names:
        if name not in types:
            raise InputError(
                f"predict.keep: column {name!r}", "the rows do not have it", ", ".join(types),
                "Add it to a feature group, or take it out of `keep`.",
            )  # fmt: skip
        if name in shards.output_columns(bundle.signature):
            raise InputError(
                f"column {name!r}",
                "a prediction's own column has that name",
                remedy="Rename it in the source.",
            )
    return names


def _manifest(plan: Plan, source: Source, files: Sequence[Path]) -> dict[str, Any]:
    """What the folder of predictions holds; no clock, so that a run that follows writes the same."""
    return {
        "model": {"name": source.name, "version": source.version, "digest": plan.model_digest},
        "rows": plan.rows,
        "rows_digest": plan.rows_digest,
        "shard_rows": plan.shard_rows,
        "columns": pq.read_schema(files[0]).names,
        "parts": [
            {"name": path.name, "rows": pq.read_metadata(path).num_rows, "sha256": sha256(path)}
            for path in files
        ],
    }


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder of predictions."""
    return dict(json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8")))
