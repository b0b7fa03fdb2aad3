"""Schemas: the columns of a product with their types and units, and the check of a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chandelle.core.errors import InputError

_TEXT_ROWS = 1 << 22
_FILL = {"double": np.nan, "string": "", "int64": 0, "int32": 0, "bool": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its name, type (``double``, ``string``, ``int64``), unit and meaning."""

    name: str
    type: str = "double"
    unit: str = ""
    about: str = ""
    required: bool = False

    @property
    def field(self) -> pa.Field:
        """The column as an arrow field that carries its unit and meaning."""
        return _field(self)


@cache
def _field(column: Column) -> pa.Field:
    facts = {"unit": column.unit, "about": column.about}
    return pa.field(column.name, pa.type_for_alias(column.type), metadata=facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The columns of a product; the version goes up when one changes its meaning."""

    name: str
    version: int
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    def conform(self, table: pa.Table) -> pa.Table:
        """Bring a table to this schema: cast, order, fill what is optional, keep what is extra.

        Raises
        ------
        InputError
            If a required column is missing, or a column cannot be cast to its type.
        """
        missing = [c.name for c in self.columns if c.required and c.name not in table.column_names]
        if missing:
            raise InputError(
                f"{self.name}: missing column {', '.join(missing)}; "
                f"found {', '.join(table.column_names) or 'none'}"
            )
        fields, arrays = [], []
        for column in self.columns:
            fields.append(column.field)
            arrays.append(self._array(table, column))
        for name in table.column_names:
            if name not in self.names:
                fields.append(table.schema.field(name))
                arrays.append(table[name])
        return pa.Table.from_arrays(arrays, schema=pa.schema(fields))

    def _array(self, table: pa.Table, column: Column) -> pa.ChunkedArray | pa.Array:
        kind = column.field.type
        fill = pa.scalar(_FILL[str(kind)], kind)
        if column.name not in table.column_names:
            return pa.repeat(fill, table.num_rows)
        array = table[column.name]
        if pa.types.is_dictionary(array.type):
            array = pc.cast(array, array.type.value_type)
        try:
            array = pc.cast(array, kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(
                f"{self.name}: column {column.name} must be {column.type}, "
                f"got {array.type}: {error}"
            ) from error
        return pc.fill_null(array, fill)


def table_from_columns(
    columns: Mapping[str, Sequence | np.ndarray | pa.ChunkedArray],
) -> pa.Table:
    """Make an arrow table of named columns of one length; two axes make a column of lists.

    Raises
    ------
    InputError
        If the lengths differ.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"columns must have one length, got {lengths}")
    return pa.table({name: _arrow(values) for name, values in columns.items()})


def _arrow(values: Sequence | np.ndarray | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, pa.ChunkedArray):
        return values
    values = np.asarray(values)
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def text_of(names: pa.ChunkedArray, rows: np.ndarray) -> pa.ChunkedArray:
    """Make a column of text that repeats some names.

    Parameters
    ----------
    names : ChunkedArray
        Each once.
    rows : array of int, shape (row,)
        Which of them stands in each row.

    Returns
    -------
    ChunkedArray
        In pieces of less text than an arrow array can hold.

    Examples
    --------
    >>> text_of(pa.chunked_array([["g", "r"]]), np.array([1, 0, 1])).to_pylist()
    ['r', 'g', 'r']
    """
    parts = [
        names.take(pa.array(rows[start : start + _TEXT_ROWS]))
        for start in range(0, len(rows), _TEXT_ROWS)
    ]
    chunks = [chunk for part in parts for chunk in part.chunks]
    return pa.chunked_array(chunks, type=names.type)


def numpy_of(column: pa.ChunkedArray) -> np.ndarray:
    """Give a column as an array, one of lists of one length with two axes."""
    if not pa.types.is_fixed_size_list(column.type):
        return column.to_numpy()
    length = column.type.list_size
    flat = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate([*flat, np.zeros(0)]).reshape(len(column), length)
