"""Many receipts in one Parquet file, named after its content.

Two drivers that gather at once write files with the same or with overlapping receipts; nothing is
lost. A manifest holds finished tasks alone.
"""

import hashlib
from collections.abc import Iterator, Sequence, Set
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chandelle.compute.receipt import Receipt
from chandelle.core.atomic import atomic_file

_ROWS = 10_000


def files_of(folder: Path) -> list[Path]:
    """Manifests of a stage."""
    return sorted(folder.glob("manifest-*.parquet"))


def write_manifest(folder: Path, receipts: Sequence[Receipt]) -> Path | None:
    """Write receipts beside those of their stage; None where there are none."""
    if not receipts:
        return None
    ordered = sorted(receipts, key=lambda receipt: receipt.id)
    table = pa.table(
        {
            "id": [receipt.id for receipt in ordered],
            "key": [receipt.key for receipt in ordered],
            "receipt": [receipt.to_json() for receipt in ordered],
        }
    )
    digest = hashlib.sha256("".join(receipt.id for receipt in ordered).encode()).hexdigest()
    path = folder / f"manifest-{digest[:16]}.parquet"
    with atomic_file(path) as temporary:
        pq.write_table(table, temporary, row_group_size=_ROWS, compression="zstd")
    return path


def read_manifest(file: Path) -> Iterator[Receipt]:
    """Read receipts a row group at a time."""
    for batch in pq.ParquetFile(file).iter_batches(batch_size=_ROWS, columns=["receipt"]):
        for text in batch.column("receipt"):
            yield Receipt.from_json(text.as_py())


def find_receipt(file: Path, task_id: str) -> Receipt | None:
    """Find the receipt of one task."""
    table = pq.read_table(file, columns=["receipt"], filters=pc.field("id") == task_id)
    return Receipt.from_json(table["receipt"][0].as_py()) if len(table) else None


def keys_in(file: Path) -> Iterator[tuple[str, str]]:
    """Ids and keys of all."""
    table = pq.read_table(file, columns=["id", "key"])
    return zip(table["id"].to_pylist(), table["key"].to_pylist(), strict=True)


def remove_receipts(file: Path, task_ids: Set[str]) -> None:
    """Write a manifest anew without some tasks, if any of them is there."""
    if task_ids.isdisjoint(task_id for task_id, _ in keys_in(file)):
        return
    left = [found for found in read_manifest(file) if found.id not in task_ids]
    write_manifest(file.parent, left)
    file.unlink(missing_ok=True)
