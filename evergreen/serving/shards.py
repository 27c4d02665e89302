"""The shards of a batch prediction: which rows are in one, how it is computed, whether a kept one is sound.

A shard's Parquet is a function of model, rows and settings alone. Beside it in the store stands a receipt,
written last: what the shard was made of, and its SHA-256. A shard without a sound receipt does not count.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evergreen.bundle.load import Bundle
from evergreen.bundle.signature import Prediction, Signature
from evergreen.errors import DataError, NotFoundError
from evergreen.files import aside, sha256

if TYPE_CHECKING:
    from evergreen.storage import Store

CHUNK_ROWS = 16_384
_ARROW = {"number": pa.float64(), "integer": pa.int64(), "boolean": pa.bool_(), "string": pa.string()}


@dataclass(frozen=True)
class Plan:
    """What every shard of one batch prediction is made of.

    Attributes:
        model: `name@version` of the model; the name alone is not enough, digests are what counts.
        model_digest: Digest of the bundle.
        rows_digest: Content digest of the rows.
        rows: Number of rows in all.
        shard_rows: Rows of a shard; the last one may have fewer.
        keep: The columns that go with each prediction.
    """

    model: str
    model_digest: str
    rows_digest: str
    rows: int
    shard_rows: int
    keep: tuple[str, ...]

    @property
    def prefix(self) -> str:
        """The folder in the store; another model or other rows have another one."""
        return f"predictions/{self.model_digest[:16]}-{self.rows_digest[:16]}"

    @property
    def count(self) -> int:
        """The number of shards; no rows still make one, so that the columns can be read."""
        return max(1, -(-self.rows // self.shard_rows))

    def span(self, shard: int) -> tuple[int, int]:
        """The first row of a shard, and the first row after it."""
        return shard * self.shard_rows, min(self.rows, (shard + 1) * self.shard_rows)

    def receipt(self, shard: int, digest: str) -> dict[str, Any]:
        """What stands beside a finished shard."""
        return {**asdict(self), "keep": list(self.keep), "shard": shard, "sha256": digest}


def part_name(shard: int) -> str:
    """The file name of a shard."""
    return f"part-{shard:05d}.parquet"


def fetch_sound(store: "Store", plan: Plan, shard: int, path: Path) -> bool:
    """Fetch a finished shard, if its receipt fits this plan and its bytes fit the receipt."""
    try:
        receipt = json.loads(store.read(f"receipts/{shard:05d}.json"))
        if not isinstance(receipt, dict) or receipt != plan.receipt(shard, str(receipt.get("sha256"))):
            return False
        store.download(part_name(shard), path)
    except (NotFoundError, ValueError):
        return False
    if sha256(path) == receipt["sha256"]:
        return True
    path.unlink()
    return False


def keep(store: "Store", plan: Plan, shard: int, path: Path) -> None:
    """Store a finished shard, then its receipt."""
    store.upload(path, part_name(shard))
    receipt = json.dumps(plan.receipt(shard, sha256(path)), indent=1, ensure_ascii=False) + "\n"
    store.write(f"receipts/{shard:05d}.json", receipt.encode())


def tidy(store: "Store", plan: Plan) -> None:
    """Remove shards that are none of this plan's, such as those of an earlier run with smaller ones."""
    names = {part_name(shard) for shard in range(plan.count)}
    names |= {f"receipts/{shard:05d}.json" for shard in range(plan.count)}
    for entry in list(store.list()):
        if entry.key not in names:
            store.delete(entry.key)


def read_span(files: Sequence[Path], columns: Sequence[str], span: tuple[int, int]) -> Iterator[pa.Table]:
    """The rows of a span, in the order of the files, in tables of `CHUNK_ROWS` counted from the span's start.

    Row groups outside the span are not read, and of one inside never more than a chunk is held at a time.

    Raises:
        DataError: when a file is not sound Parquet.
    """
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in _batches(files, columns, span):
        while batch.num_rows:
            piece = batch.slice(0, CHUNK_ROWS - rows)
            batch = batch.slice(piece.num_rows)
            held.append(piece)
            rows += piece.num_rows
            if rows == CHUNK_ROWS:
                yield pa.Table.from_batches(held)
                held, rows = [], 0
    if held:
        yield pa.Table.from_batches(held)


def _batches(
    files: Sequence[Path], columns: Sequence[str], span: tuple[int, int]
) -> Iterator[pa.RecordBatch]:
    position, (first, last) = 0, span
    for path in files:
        try:
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    begin, rows = position, file.metadata.row_group(group).num_rows
                    position += rows
                    if position <= first or begin >= last:
                        continue
                    for batch in file.iter_batches(CHUNK_ROWS, row_groups=[group], columns=list(columns)):
                        low, high = max(0, first - begin), min(batch.num_rows, last - begin)
                        begin += batch.num_rows
                        if low < high:
                            yield batch.slice(low, high - low).select(list(columns))
                        if begin >= last:
                            break
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(
                str(path), f"not sound Parquet ({error})", remedy="Make the rows again."
            ) from error


def as_columns(table: pa.Table, signature: Signature) -> dict[str, np.ndarray]:
    """The model's columns of a table as arrays: numbers with NaN for NULL, text as objects with None."""
    return {i.name: _plain(table[i.name]) for i in signature.inputs if i.name in table.column_names}


def _plain(column: pa.ChunkedArray) -> np.ndarray:
    kind = column.type
    if pa.types.is_boolean(kind):
        column = pc.cast(column, pa.uint8())
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        column = pc.cast(column, pa.float64(), safe=False)
    return np.asarray(
        column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
    )


def output_columns(signature: Signature) -> dict[str, pa.DataType]:
    """The columns that a prediction adds: `prediction`, and `probability` or `probability__<class>`."""
    first, *rest = signature.outputs
    columns = {"prediction": _ARROW[first["type"]]}
    if rest and signature.classes is not None:
        names = (
            ["probability"]
            if signature.task == "binary"
            else [f"probability__{c}" for c in signature.classes]
        )
        columns |= dict.fromkeys(names, pa.float64())
    return columns


def _outputs(signature: Signature, prediction: Prediction) -> list[pa.Array]:
    kind = output_columns(signature)["prediction"]
    values = prediction.values.tolist()
    if kind == pa.string():
        values = [value if isinstance(value, str) else json.dumps(value) for value in values]
    arrays = [pa.array(values, kind)]
    if prediction.probabilities is not None:
        chosen = prediction.probabilities[:, -1:] if signature.task == "binary" else prediction.probabilities
        arrays += [pa.array(column) for column in np.ascontiguousarray(chosen.T)]
    return arrays


def write_shard(
    bundle: Bundle,
    plan: Plan,
    shard: int,
    files: Sequence[Path],
    types: Mapping[str, pa.DataType],
    path: Path,
) -> None:
    """Predict a shard's rows and write them, whole or not at all.

    Args:
        bundle: The model.
        plan: What the prediction is made of.
        shard: Which shard.
        files: The Parquet files of the rows, in order.
        types: The Arrow type of every column of the rows.
        path: The Parquet file to write.

    Raises:
        InputError: when a value is not of the type that the model takes.
        StorageError: when the disk is full or read-only.
    """
    signature = bundle.signature
    inputs = [i.name for i in signature.inputs if i.name in types]
    added = output_columns(signature)
    about = {"model": plan.model, "model_digest": plan.model_digest, "rows_digest": plan.rows_digest}
    schema = pa.schema(
        [*((name, types[name]) for name in plan.keep), *added.items()],
        metadata={f"evergreen.{k}": v for k, v in about.items()},
    )
    wanted = list(dict.fromkeys([*plan.keep, *inputs]))
    with aside(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for table in read_span(files, wanted, plan.span(shard)):
            prediction = bundle.predict(as_columns(table, signature))
            kept = [table[name] for name in plan.keep]
            writer.write_table(pa.Table.from_arrays([*kept, *_outputs(signature, prediction)], schema=schema))
