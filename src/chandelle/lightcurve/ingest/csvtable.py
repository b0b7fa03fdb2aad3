"""CSV tables of a release: whole or refused by name, their columns as plain arrays."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd

from chandelle.core.errors import InputError


def parse_csv(content: bytes, *, file: str, needed: Sequence[str], **options: Any) -> pd.DataFrame:
    """Read a table from the bytes of its file.

    Parameters
    ----------
    content : bytes
        The file.
    file : str
        Its name, for messages.
    needed : sequence of str
        Columns it must have.
    **options
        Arguments of `pandas.read_csv`.

    Returns
    -------
    DataFrame
        The table.

    Raises
    ------
    InputError
        If it is no table, or a column is missing.
    """
    try:
        frame = pd.read_csv(BytesIO(content), **options)
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: expected a table of {', '.join(needed)}, {error}") from error
    require(frame, needed, file=file)
    return frame


def require(frame: pd.DataFrame, needed: Sequence[str], *, file: str) -> None:
    """Raise if a table lacks a column.

    Raises
    ------
    InputError
        Which names those missing and those found.
    """
    missing = [name for name in needed if name not in frame]
    if missing:
        raise InputError(
            f"{file}: missing column {', '.join(missing)}; found {', '.join(map(str, frame))}"
        )


def numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Give a column as numbers; NaN for what is none, or where there is no such column."""
    if name not in frame:
        return np.full(len(frame), np.nan)
    return np.asarray(pd.to_numeric(pd.Series(frame[name]), errors="coerce"), dtype=float)


def words(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Give a column as text; empty for what is missing, or where there is no such column."""
    if name not in frame:
        return np.full(len(frame), "")
    column = np.asarray(frame[name], dtype=object)
    return np.where(pd.isna(column), "", column).astype(str)
