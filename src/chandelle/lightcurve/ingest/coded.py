"""Columns of text with few different values, kept as codes: a million names cost one pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
from astropy.utils.masked import Masked
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coded:
    """A column of text as ``values[codes]``.

    Attributes
    ----------
    values : NDArray of str, shape (value,)
        All different, in order of first appearance; missing text is empty.
    codes : NDArray of int, shape (obs,)
        Which value each row has.
    """

    values: NDArray
    codes: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.codes)

    def text(self) -> NDArray:
        """Value of each row."""
        return self.values[self.codes]

    def take(self, rows: NDArray) -> "Coded":
        """Rows of a mask or of indices."""
        return Coded(values=self.values, codes=self.codes[rows])

    def renamed(self, values: Sequence[str]) -> "Coded":
        """Give every value a new name; values that get one name become one."""
        return _unified(self.codes, list(values))

    def is_used(self) -> NDArray[np.bool_]:
        """Which values have a row, shape (value,)."""
        return np.bincount(self.codes, minlength=len(self.values)) > 0

    def to_arrow(self) -> pa.DictionaryArray:
        """Return the column as arrow's dictionary array."""
        return pa.DictionaryArray.from_arrays(
            pa.array(self.codes, pa.int32()), pa.array(self.values.tolist(), pa.string())
        )


def encode(column: Any) -> Coded:
    """Encode a column of names: text, bytes, or numbers.

    Whole numbers are written without a fraction, also where missing values made them floats.

    Parameters
    ----------
    column : Coded, Series, array or Column
        Any column of a table; masked and missing values become empty text.

    Returns
    -------
    Coded
        Text without blanks around it.
    """
    if isinstance(column, Coded):
        return column
    missing = None
    if isinstance(column, np.ma.MaskedArray | Masked):
        masked = cast(Any, column)
        missing = np.asarray(masked.mask)
        column = masked.filled() if isinstance(column, np.ma.MaskedArray) else masked.unmasked
    if not isinstance(column, pd.Series | pd.api.extensions.ExtensionArray):
        column = np.asarray(column)
    codes, uniques = pd.factorize(cast(Any, column))
    if missing is not None:
        codes = np.where(missing, -1, codes)
    labels = [_label(value) for value in cast(Any, uniques)]
    if np.any(codes < 0):
        codes = np.where(codes < 0, len(labels), codes)
        labels.append("")
    return _unified(codes.astype(np.intp), labels)


def _unified(codes: NDArray[np.intp], labels: list[str]) -> Coded:
    """Codes into labels that may stand several times, or for no row."""
    merged, different = pd.factorize(np.array(labels, dtype=object))
    values = np.array(list(different), dtype=str)
    if len(different) < len(labels):
        codes = merged[codes].astype(np.intp) if len(codes) else codes
    return Coded(values=values, codes=codes)


def _label(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace").strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def concatenate(columns: Sequence[Coded]) -> Coded:
    """Stack columns; values of one name become one.

    Parameters
    ----------
    columns : sequence of Coded
        In order.

    Returns
    -------
    Coded
        As long as all of them.
    """
    starts = np.cumsum([0, *(len(column.values) for column in columns)])
    codes = [column.codes + start for column, start in zip(columns, starts[:-1], strict=True)]
    labels = [value for column in columns for value in column.values.tolist()]
    return _unified(np.concatenate([np.zeros(0, np.intp), *codes]), labels)


def first_rows(codes: NDArray[np.intp], n: int, good: NDArray[np.bool_] | None = None) -> NDArray:
    """Row where each code first stands (where `good`), -1 for none.

    Parameters
    ----------
    codes : NDArray of int, shape (obs,)
        Below `n`.
    n : int
        How many codes there are.
    good : NDArray of bool, shape (obs,), optional
        Rows to look at.

    Returns
    -------
    NDArray of int, shape (n,)
        Indices of rows.
    """
    rows = np.arange(len(codes)) if good is None else np.flatnonzero(good)
    first = np.full(n, -1, dtype=np.intp)
    first[codes[rows][::-1]] = rows[::-1]
    return first
