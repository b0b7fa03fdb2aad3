"""Light curves on disk, a block of supernovae at a time, in memory that does not grow with them."""

# pyarrow.compute makes its functions when imported, where a type checker does not see them.
# pyright: reportAttributeAccessIssue=false

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.products.lightcurves import LightCurves, read_without_epochs, refuse_orphans
from chandelle.products.passband import Passband
from chandelle.products.product import Origin
from chandelle.products.targets import Targets

_log = logging.getLogger(__name__)
_Numbered = Iterator[tuple[int, pa.Table]]

_ROWS = 2**16
"""Rows read at a time."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LightCurveBlocks:
    """The light curves of a folder as blocks of `size` targets, in the order of the targets.

    Each block is what `LightCurves.select_targets` of the whole set gives. A set whose epochs lie
    in the order of the targets, each supernova's together or at least each block's, is read once
    from beginning to end. Any other is first put in order of blocks in a temporary file without a
    name, as large as the epochs. In memory are a block, some thousand rows more, and the targets.

    Attributes
    ----------
    whole : LightCurves
        The set without its epochs: targets, passbands, rejected rows, meta.
    epochs : Path
        Their Parquet file.
    size : int
        Targets of a block.
    bands : tuple of str
        Names of the bands that occur, sorted.
    counts : tuple of int
        Epochs of each block.
    is_in_order : bool
        Whether the epochs can be read as they lie.
    scratch : Path or None
        Folder of the temporary file; that of the system by default.
    """

    whole: LightCurves
    epochs: Path
    size: int
    bands: tuple[str, ...]
    counts: tuple[int, ...]
    is_in_order: bool
    scratch: Path | None = None

    def __len__(self) -> int:
        """Count the blocks; a set without targets is one."""
        return max(1, -(-len(self.whole.targets) // self.size))

    def __iter__(self) -> Iterator[LightCurves]:
        rows = _rows_of(self.whole)
        tables = self._as_they_lie(rows) if self.is_in_order else self._put_in_order(rows)
        nothing = self.whole.table
        at, table = next(tables, (len(self), nothing))
        for number in range(len(self)):
            yield self._block(number, table if at == number else nothing)
            if at == number:
                at, table = next(tables, (len(self), nothing))

    def _block(self, number: int, table: pa.Table) -> LightCurves:
        stop = min((number + 1) * self.size, len(self.whole.targets))
        own = self.whole.select_targets(np.arange(number * self.size, stop))
        return replace(own, table=table)

    def _as_they_lie(self, rows: Mapping[str, int]) -> _Numbered:
        """Tables of the blocks that have epochs."""
        held: list[pa.RecordBatch] = []
        at = 0
        for batch in _open(self.epochs).iter_batches(batch_size=_ROWS):
            for number, piece in _runs(batch, _targets_of(batch, rows) // self.size):
                if number != at and held:
                    yield at, pa.Table.from_batches(held)
                    held = []
                at = number
                held.append(piece)
        if held:
            yield at, pa.Table.from_batches(held)

    def _put_in_order(self, rows: Mapping[str, int]) -> _Numbered:
        """Tables of the blocks that have epochs, through a temporary file."""
        _log.info("%s: epochs not in the order of the targets, put in order first", self.epochs)
        file = _open(self.epochs)
        pieces: list[list[int]] = [[] for _ in range(len(self))]
        count = 0
        with tempfile.TemporaryFile(dir=self.scratch) as scratch:
            options = pa.ipc.IpcWriteOptions(compression="zstd")
            with pa.ipc.new_file(scratch, file.schema_arrow, options=options) as sink:
                for batch in file.iter_batches(batch_size=_ROWS):
                    block = _targets_of(batch, rows) // self.size
                    order = np.argsort(block, kind="stable")
                    for number, piece in _runs(batch.take(pa.array(order)), block[order]):
                        sink.write_batch(piece)
                        pieces[number].append(count)
                        count += 1
            scratch.seek(0)
            source = pa.ipc.open_file(scratch)
            for number, own in enumerate(pieces):
                if own:
                    yield number, pa.Table.from_batches([source.get_batch(i) for i in own])


def lightcurve_blocks(
    path: str | Path,
    *,
    size: int,
    targets: Targets | None = None,
    passbands: Mapping[str, Passband] | None = None,
    origin: Origin | None = None,
    scratch: Path | None = None,
) -> LightCurveBlocks:
    """Open a folder that `LightCurves.write` wrote, to be read in blocks of targets.

    Parameters
    ----------
    path : str or Path
        The folder.
    size : int
        Targets of a block.
    targets : Targets, optional
        Instead of those on disk.
    passbands : mapping of str to Passband, optional
        Beside those on disk.
    origin : {"simulated", "published", "real"}, optional
        Where the data come from, instead of what the folder says.
    scratch : Path, optional
        Folder of the temporary file that epochs in another order need.

    Returns
    -------
    LightCurveBlocks
        An iterable of `LightCurves`.

    Raises
    ------
    InputError
        If the folder is none of light curves, `size` is not positive, or epochs have no target.

    Examples
    --------
    >>> import tempfile
    >>> targets = Targets.from_columns({"sn": ["a", "b", "c"], "z_hel": [0.1, 0.2, 0.3]})
    >>> epochs = {"sn": ["a", "c"], "mjd": [59000.0, 59001.0], "band": ["ztfg", "ztfr"],
    ...           "flux": [90.0, 80.0], "flux_err": [2.0, 2.0]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     LightCurves.from_columns(epochs, targets=targets).write(f"{folder}/lcs")
    ...     blocks = lightcurve_blocks(f"{folder}/lcs", size=2)
    ...     [(len(lcs.targets), len(lcs)) for lcs in blocks]
    [(2, 1), (1, 1)]
    """
    if size < 1:
        raise InputError(f"a block has one target at least, got size {size}")
    whole = read_without_epochs(path)
    whole = replace(
        whole,
        targets=whole.targets if targets is None else targets,
        passbands={**whole.passbands, **(passbands or {})},
        meta=whole.meta if origin is None else replace(whole.meta, origin=origin),
    )
    epochs = Path(path) / "epochs.parquet"
    rows, last, is_in_order = _rows_of(whole), 0, True
    bands: set[str] = set()
    counts = np.zeros(max(1, -(-len(rows) // size)), dtype=np.int64)
    file = _open(epochs, read_dictionary=["sn", "band"])
    for batch in file.iter_batches(batch_size=_ROWS, columns=["sn", "band"]):
        block = np.concatenate([[last], _targets_of(batch, rows) // size])
        is_in_order &= bool(np.all(np.diff(block) >= 0))
        last = int(block[-1])
        counts += np.bincount(block[1:], minlength=len(counts))
        bands |= set(_encoded(batch["band"])[0])
    return LightCurveBlocks(
        whole=whole,
        epochs=epochs,
        size=size,
        bands=tuple(sorted(bands)),
        counts=tuple(counts.tolist()),
        is_in_order=is_in_order,
        scratch=scratch,
    )


def read_rows(epochs: Path, start: int, stop: int) -> pa.Table:
    """Rows of a Parquet file, of which no more than their row groups are read."""
    file = _open(epochs)
    sizes = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
    edges = np.concatenate([[0], np.cumsum(sizes)])
    first = int(np.searchsorted(edges, start, side="right")) - 1
    last = int(np.searchsorted(edges, stop, side="left"))
    table = file.read_row_groups(list(range(first, last))).replace_schema_metadata(None)
    return table.slice(start - int(edges[first]), stop - start)


def _open(epochs: Path, **how: Any) -> pq.ParquetFile:
    """Open without reading ahead, which would keep all that was read."""
    return pq.ParquetFile(epochs, pre_buffer=False, **how)


def _rows_of(whole: LightCurves) -> dict[str, int]:
    """Row of each target by its name."""
    return {name: row for row, name in enumerate(whole.targets["sn"].tolist())}


def _encoded(column: pa.Array) -> tuple[list[str], NDArray[np.int64]]:
    """Names in a column, and of each row the index of its name."""
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(pc.cast(column, pa.string()))
    used = pc.unique(column.indices)
    names = column.dictionary.take(used).to_pylist()
    return names, pc.index_in(column.indices, value_set=used).to_numpy().astype(np.int64)


def _targets_of(batch: pa.RecordBatch, rows: Mapping[str, int]) -> NDArray[np.int64]:
    """Row of the target of each epoch."""
    names, codes = _encoded(batch["sn"])
    refuse_orphans([name for name in names if name not in rows])
    return np.array([rows[name] for name in names], dtype=np.int64)[codes]


def _runs(batch: pa.RecordBatch, number: NDArray[np.int64]) -> Iterable[tuple[int, pa.RecordBatch]]:
    """Cut rows where their block changes."""
    edges = np.flatnonzero(np.diff(number, prepend=-1, append=-1))
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        yield int(number[start]), batch.slice(start, stop - start)
