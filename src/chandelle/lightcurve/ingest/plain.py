"""Columns of any table as plain numpy arrays."""

from typing import Any, cast

import numpy as np
import pandas as pd
from astropy.utils.masked import Masked
from numpy.typing import NDArray

from chandelle.core.errors import InputError

MISSING_WORDS = frozenset(
    ("", "nan", "<na>", "na", "n/a", "#n/a", "nat", "none", "null", "empty", "-", "--", "...", "?")
)
"""Words for a number that is missing, in lower case."""


def plain(column: Any) -> np.ndarray:
    """Give a column as a plain array: text decoded, masked numbers NaN, masked text empty.

    Parameters
    ----------
    column : Series, array, Column or Quantity
        A unit is dropped.

    Returns
    -------
    NDArray
        Numbers or text.
    """
    if isinstance(column, np.ma.MaskedArray | Masked):
        masked = cast(Any, column)
        masked = masked.astype(float) if masked.dtype.kind in "iu" else masked
        column = masked.filled(np.nan if masked.dtype.kind == "f" else "")
    if isinstance(column, pd.Series) and pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=float, na_value=np.nan)
    values = np.asarray(column)
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8")
    if values.dtype.kind == "O":
        return np.array(["" if _is_missing(v) else _text(v) for v in values], dtype=object)
    return values


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or value != value


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def numbers(column: Any, *, name: str, label: str) -> NDArray[np.float64]:
    """Give a column as float64; missing values and words for them (`MISSING_WORDS`) are NaN.

    Parameters
    ----------
    column : Series, array, Column or Quantity
        A unit is dropped.
    name, label : str
        What column and table are called in messages.

    Returns
    -------
    NDArray, shape (obs,)
        A new array, or the column's own.

    Raises
    ------
    InputError
        If some of it is no number.
    """
    if not isinstance(column, np.ma.MaskedArray | Masked):
        column = column.to_numpy() if isinstance(column, pd.Series) else np.asarray(column)
        if column.dtype.kind == "O":
            return _numbers_of_objects(column, name=name, label=label)
    kind = cast(Any, column).dtype
    if kind.kind == "c":
        raise InputError(f"{label}: column {name} must be real numbers, got {kind}")
    values = plain(column)
    if values.dtype.kind in "fiub":
        return np.asarray(values, dtype=float)
    return _numbers_of_objects(values.astype(object), name=name, label=label)


def _numbers_of_objects(values: np.ndarray, *, name: str, label: str) -> NDArray[np.float64]:
    read = np.asarray(pd.to_numeric(pd.Series(values), errors="coerce"))
    if read.dtype.kind == "c":
        row = next(row for row, value in enumerate(values) if np.iscomplexobj(value))
        raise InputError(
            f"{label}: column {name} must be real numbers, got {values[row]!r} in row {row}"
        )
    found = np.asarray(read, dtype=float)
    # Few different words stand for a missing number: each is looked at once.
    unread, different = pd.factorize(values[np.isnan(found)])
    for code, value in enumerate(different):
        word = "" if _is_missing(value) else _text(value).strip().lower()
        if word not in MISSING_WORDS:
            row = np.flatnonzero(np.isnan(found))[np.flatnonzero(unread == code)[0]]
            raise InputError(f"{label}: column {name} must be numbers, got {value!r} in row {row}")
    return found
