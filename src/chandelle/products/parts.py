"""A product written part by part, so that it need not fit into memory."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chandelle.core.atomic import atomic_file, atomic_folder
from chandelle.core.errors import InputError
from chandelle.products.joined import Joining
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import passband_table
from chandelle.products.product import META_KEY, ROW_GROUP, Meta, Product, meta_text
from chandelle.products.schema import Schema


class Parts:
    """Parts of a product on their way into one file; `meta` is that of the whole.

    Attributes
    ----------
    meta : Meta or None
        Written when all is there; that of the first part unless set.
    """

    def __init__(self, path: Path) -> None:
        self.meta: Meta | None = None
        self._path = path
        self._schema: Schema | None = None
        self._file: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []

    def append(self, part: Product) -> None:
        """Add rows; all parts have the same columns.

        Raises
        ------
        InputError
            If the columns are others than those of the first part.
        """
        table = part.table.replace_schema_metadata(None)
        if self._file is None:
            self._schema, self.meta = part.schema, self.meta or part.meta
            self._file = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        elif not table.schema.equals(self._file.schema):
            raise InputError(
                f"a part of {part.schema.name} has the columns {', '.join(table.column_names)}, "
                f"the first has {', '.join(self._file.schema.names)}; bring all to the same names "
                "and types"
            )
        self._waiting.append(table)
        if sum(len(each) for each in self._waiting) >= ROW_GROUP:
            self._write(ROW_GROUP)

    def _write(self, size: int) -> None:
        """Write what waits in groups of `size`, so that the file does not depend on the parts."""
        if self._file is None:
            return
        table = pa.concat_tables(self._waiting)
        stop = len(table) - len(table) % size if size > 1 else len(table)
        for start in range(0, stop, ROW_GROUP):
            rows = table.slice(start, min(ROW_GROUP, stop - start)).combine_chunks()
            self._file.write_table(rows, row_group_size=ROW_GROUP)
        # A copy, which holds on to nothing of what is written.
        self._waiting = [table.slice(stop).take(np.arange(len(table) - stop))]

    def close(self) -> None:
        """Write the meta and the end of the file."""
        if self._file is None or self._schema is None or self.meta is None:
            raise InputError("a product written in parts needs one part at least; append it")
        self._write(1)
        self._file.add_key_value_metadata({META_KEY: meta_text(self._schema, self.meta)})
        self._file.close()

    def abandon(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


@contextmanager
def write_parts(path: str | Path) -> Iterator[Parts]:
    """Write a product part by part; the file has its name when the block ends well, else none.

    Parameters
    ----------
    path : str or Path
        Parquet file, read by the `read` of the product.

    Yields
    ------
    Parts
        Takes the parts.
    """
    with atomic_file(path) as temporary:
        parts = Parts(temporary)
        try:
            yield parts
            parts.close()
        finally:
            parts.abandon()


def write_lightcurve_parts(path: str | Path, parts: Iterable[LightCurves]) -> int:
    """Write light curves part by part into the folder that `LightCurves.read` reads.

    Parameters
    ----------
    path : str or Path
        Folder.
    parts : iterable of LightCurves
        Of different targets, in the order wanted; all have the same columns.

    Returns
    -------
    int
        Number of targets.

    Raises
    ------
    InputError
        If there is no part, columns or passbands differ, or a target stands in two.
    """
    joining, n = Joining(is_shared=False), 0
    with atomic_folder(path) as folder:
        with write_parts(folder / "epochs.parquet") as epochs:
            for part in parts:
                epochs.append(part)
                joining.add(replace(part, table=part.table.schema.empty_table()), label=f"part {n}")
                n += 1
        whole = joining.joined()
        whole.targets.write(folder / "targets.parquet")
        pq.write_table(passband_table(whole.passbands), folder / "passbands.parquet")
        pq.write_table(whole.rejected, folder / "rejected.parquet")
    return len(whole.targets)
