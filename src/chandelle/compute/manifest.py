"""Many receipts in one Parquet file, written and read a group at a time.

Two drivers that gather at once write two files with the same or with overlapping receipts; nothing
is lost. A manifest holds finished tasks alone. What of it cannot be read, a group or all, is told
of once and counts for nothing, like a receipt that was cut.
"""

import logging
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from functools import partial
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chandelle.compute.receipt import Receipt
from chandelle.core.atomic import atomic_file
from chandelle.core.errors import InputError

_log = logging.getLogger(__name__)
_told: set[Path] = set()
_ROWS = 1000
_SCHEMA = pa.schema({"id": pa.string(), "key": pa.string(), "receipt": pa.string()})


def files_of(folder: Path) -> Iterator[Path]:
    """Find the manifests of a stage; those too that take the place of one while it is read."""
    seen: set[Path] = set()
    while fresh := sorted(set(folder.glob("manifest-*.parquet")) - seen):
        seen.update(fresh)
        yield from fresh


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
    for batch in _batches(file):
        yield from _receipts(file, batch["receipt"])


def find_receipts(file: Path, task_ids: Sequence[str]) -> Iterator[Receipt]:
    """Find the receipts of tasks, by their ids in order, in the groups that can hold them."""
    for batch in _batches(file, partial(_groups_with, task_ids=task_ids)):
        held = batch["id"].to_pylist()
        start, end = bisect_left(task_ids, held[0]), bisect_right(task_ids, held[-1])
        asked = set(task_ids[start:end])
        rows = [row for row, task_id in enumerate(held) if task_id in asked]
        yield from _receipts(file, batch["receipt"].take(pa.array(rows, pa.int64())))


def keys_in(file: Path) -> Iterator[tuple[str, str]]:
    """Ids and keys of all."""
    for batch in _batches(file):
        yield from zip(batch["id"].to_pylist(), batch["key"].to_pylist(), strict=True)


def remove_receipts(file: Path, task_ids: Set[str]) -> None:
    """Write a manifest anew without some tasks, if any of them is there.

    One with groups that cannot be read is put aside under another name: what they held is not
    known, and must not come back. The others are kept.

    Raises
    ------
    OSError
        If the disk does not give it.
    """
    troubles: list[Exception] = []
    batches = _batches(file, tell=troubles.append)
    held = {task_id for batch in batches for task_id in batch["id"].to_pylist()}
    for trouble in troubles:
        if isinstance(trouble, OSError) and trouble.errno is not None:
            raise trouble
    if not troubles and task_ids.isdisjoint(held):
        return
    is_kept = ~pc.field("id").isin(list(task_ids))
    write_manifest(file.parent, (batch.filter(is_kept) for batch in _batches(file)))
    if troubles:
        file.replace(file.with_name(f"unreadable-{file.name}"))
    else:
        file.unlink(missing_ok=True)


def _batches(
    file: Path,
    chosen: Callable[[pq.FileMetaData], Iterable[int]] | None = None,
    *,
    tell: Callable[[Exception], None] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Read a group at a time: all at once takes ten times the memory of what is read.

    Every column is read even where one is asked for, so that all who read agree on what is broken.
    Of a manifest that is gone nothing is read: `files_of` finds what took its place.
    """
    tell = tell or partial(_tell, file)
    try:
        parquet = pq.ParquetFile(file, pre_buffer=False)
    except FileNotFoundError:
        return
    except (OSError, pa.ArrowException) as error:
        tell(error)
        return
    with parquet:
        if not parquet.schema_arrow.equals(_SCHEMA):
            tell(InputError(f"its columns are {', '.join(parquet.schema_arrow.names)}"))
            return
        for group in chosen(parquet.metadata) if chosen else range(parquet.num_row_groups):
            try:
                for batch in parquet.iter_batches(_ROWS, row_groups=[group], use_threads=False):
                    batch.validate(full=True)
                    yield batch
            except (OSError, pa.ArrowException) as error:
                tell(error)


def _groups_with(metadata: pq.FileMetaData, task_ids: Sequence[str]) -> Iterator[int]:
    """Groups between whose first and last id one of some lies; both are in order."""

    def first_and_last(group: int) -> tuple[str, str]:
        statistics = metadata.row_group(group).column(0).statistics
        return statistics.min, statistics.max

    groups = range(metadata.num_row_groups)
    start = bisect_left(groups, task_ids[0], key=lambda group: first_and_last(group)[1])
    for group in groups[start:]:
        first, last = first_and_last(group)
        if first > task_ids[-1]:
            return
        if bisect_left(task_ids, first) < bisect_right(task_ids, last):
            yield group


def _receipts(file: Path, texts: pa.Array) -> Iterator[Receipt]:
    for text in texts.to_pylist():
        try:
            yield Receipt.from_json(text)
        except InputError as error:
            _tell(file, error)


def _tell(file: Path, error: Exception) -> None:
    """Warn of a manifest, once in a process."""
    if file not in _told:
        _told.add(file)
        text = str(error).strip()
        _log.warning("%s: %s; the tasks that it names there count as not done", file, text)
