"""Many receipts in one Parquet file, written and read a group at a time.

Two drivers that gather at once write two files with the same or with overlapping receipts; nothing
is lost. A manifest holds finished tasks alone.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import chain, islice
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


def write_manifest(folder: Path, groups: Iterable[Sequence[Receipt]]) -> list[str]:
    """Write groups of receipts, in the order of their ids, beside those of their stage.

    Returns
    -------
    list of str
        Ids of what was written; where there are none, there is no file.
    """
    ids: list[str] = []
    path = folder / f"manifest-{uuid.uuid4().hex[:16]}.parquet"
    filled = filter(None, groups)
    first = next(filled, None)
    if first is None:
        return ids
    with (
        atomic_file(path) as temporary,
        pq.ParquetWriter(temporary, _SCHEMA, compression="zstd") as writer,
    ):
        for group in chain([first], filled):
            own = [receipt.id for receipt in group]
            keys = [receipt.key for receipt in group]
            texts = [receipt.to_json() for receipt in group]
            writer.write_table(pa.table([own, keys, texts], schema=_SCHEMA))
            ids += own
    return ids


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
    kept = (receipt for receipt in read_manifest(file) if receipt.id not in task_ids)
    write_manifest(file.parent, iter(lambda: list(islice(kept, _ROWS)), []))
    file.unlink(missing_ok=True)
