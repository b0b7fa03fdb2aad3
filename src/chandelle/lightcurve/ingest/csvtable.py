"""CSV tables: where they begin, and those of a release, whole or refused by name."""

import csv
import re
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any, TextIO

import numpy as np
import pandas as pd

from chandelle.core.errors import InputError


def find_header(file: TextIO) -> tuple[list[str], bool]:
    """Find the names of the columns below or in the leading comments of a CSV file.

    They stand in the first line without ``#``; or, where that has numbers, in the last comment of
    as many fields.

    Parameters
    ----------
    file : text file
        At its start; left at the first line without ``#``.

    Returns
    -------
    names : list of str
        As they are written; empty for an empty file.
    is_comment : bool
        Whether a comment has them, so that the data begin where the file is left.
    """
    comments: list[list[str]] = []
    while True:
        start = file.tell()
        line = file.readline()
        text = line.strip()
        if line and not text:
            continue
        if not text.startswith("#"):
            break
        comments.append(_fields([text.lstrip("#")]))
    file.seek(start)
    first = _fields(iter(file.readline, ""))
    file.seek(start)
    if not text or any(_is_number(word) for word in re.split(r"[,\s]+", text)):
        alike = [names for names in comments if not text or len(names) == len(first)]
        if alike:
            return alike[-1], True
    return first, False


def _fields(lines: Iterable[str]) -> list[str]:
    """Fields of the first row."""
    row = next(csv.reader(lines, skipinitialspace=True), [])
    return [name.strip() for name in row]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


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
