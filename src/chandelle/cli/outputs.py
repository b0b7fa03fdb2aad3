"""Can the answer be written: asked before the work, which may take hours, not after it."""

import os
from pathlib import Path

from chandelle.core.errors import InputError


def check_file(path: Path) -> None:
    """Raise unless a Parquet file can be written at `path`.

    Raises
    ------
    InputError
        If it is a folder, has another suffix than .parquet, or its folder takes no files.
    """
    if path.is_dir():
        raise InputError(
            f"{path}: is a folder, expected the name of a file; give {path / 'fits.parquet'}"
        )
    if path.suffix != ".parquet":
        raise InputError(
            f"{path}: expected a name that ends in .parquet, got "
            f"{path.suffix or 'no suffix'}; give {path.with_suffix('.parquet')}"
        )
    _check_parent(path)


def check_folder(path: Path) -> None:
    """Raise unless a folder can be written at `path`.

    Raises
    ------
    InputError
        If it is a file, or the folder around it takes no files.
    """
    if path.is_file():
        raise InputError(f"{path}: is a file, expected a folder to write into; give another name")
    _check_parent(path)


def _check_parent(path: Path) -> None:
    parents = path.absolute().parents
    nearest = next(parent for parent in parents if parent.exists())
    if not nearest.is_dir():
        raise InputError(f"{path}: {nearest} is a file, expected a folder; give another name")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{path}: {nearest} takes no files; write elsewhere")
