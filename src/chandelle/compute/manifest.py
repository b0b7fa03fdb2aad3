"""Many receipts in one Parquet file, written and read a group at a time.

Two drivers that gather at once write two files with the same or with overlapping receipts; nothing
is lost. A manifest holds finished tasks alone.
"""

import uuid
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chandelle.compute.receipt import Receipt
from chandelle.core.atomic import atomic_file

_ROWS = 1000
_SCHEMA = pa.schema({"id": pa.string(), "key": pa.string(), "receipt": pa.string()})


def files_of(folder: Path) -> list[Path]:
    """Manifests of a stage."""
    return sorted(folder.glob("manifest-*.parquet"))


def group_of(receipts: Sequence[Receipt]) -> pa.RecordBatch:
    """Receipts, in the order of their ids, as rows of a manifest."""
    ids = [receipt.id for receipt in receipts]
    keys = [receipt.key for receipt in receipts]
    return pa.record_batch([ids, keys, [receipt.to_json() for receipt in receipts]], schema=_SCHEMA)


def write_manifest(folder: Path, groups: Iterable[pa.RecordBatch]) -> list[str]:
    """Write groups of receipts, in the order of their ids, beside those of their stage.

    Returns
    -------
    list of str
        Ids of what was written; where there are none, there is no file.
    """
    ids: list[str] = []
    path = folder / f"manifest-{uuid.uuid4().hex[:16]}.parquet"
    filled = (group for group in groups if group.num_rows)
    first = next(filled, None)
    if first is None:
        return ids
    with (
        atomic_file(path) as temporary,
        pq.ParquetWriter(temporary, _SCHEMA, compression="zstd") as writer,
    ):
        for group in chain([first], filled):
            writer.write_batch(group)
            ids += group["id"].to_pylist()
    return ids


def read_manifest(file: Path) -> Iterator[Receipt]:
    """Read receipts a group at a time."""
    for batch in _batches(file, "receipt"):
        for text in batch.column("receipt"):
            yield Receipt.from_json(text.as_py())


def find_receipt(file: Path, task_id: str) -> Receipt | None:
    """Find the receipt of one task, in the one group that can hold it."""
    parquet = pq.ParquetFile(file, pre_buffer=False)

    def last_id(group: int) -> str:
        return parquet.metadata.row_group(group).column(0).statistics.max

    group = bisect_left(range(parquet.num_row_groups), task_id, key=last_id)
    if group == parquet.num_row_groups:
        return None
    table = parquet.read_row_group(group, columns=["id", "receipt"], use_threads=False)
    row = pc.index(table["id"], task_id).as_py()
    return Receipt.from_json(table["receipt"][row].as_py()) if row >= 0 else None


def keys_in(file: Path) -> Iterator[tuple[str, str]]:
    """Ids and keys of all."""
    for batch in _batches(file, "id", "key"):
        yield from zip(batch["id"].to_pylist(), batch["key"].to_pylist(), strict=True)


def _batches(file: Path, *columns: str) -> Iterator[pa.RecordBatch]:
    """Read columns a group at a time: all at once takes ten times the memory of what is read."""
    parquet = pq.ParquetFile(file, pre_buffer=False)
    return parquet.iter_batches(batch_size=_ROWS, columns=list(columns), use_threads=False)


def remove_receipts(file: Path, task_ids: Set[str]) -> None:
    """Write a manifest anew without some tasks, if any of them is there."""
    if task_ids.isdisjoint(task_id for task_id, _ in keys_in(file)):
        return
    is_kept = ~pc.field("id").isin(list(task_ids))
    groups = _batches(file, *_SCHEMA.names)
    write_manifest(file.parent, (group.filter(is_kept) for group in groups))
    file.unlink(missing_ok=True)
