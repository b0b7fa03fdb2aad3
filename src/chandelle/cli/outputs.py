"""Can the answer be written: asked before the work, which may take hours, not after it."""

import os
from collections.abc import Sequence
from pathlib import Path

from chandelle.core.errors import InputError
from chandelle.core.paths import refuse_to_replace


def check_file(
    path: Path, *, inputs: Sequence[Path] = (), suffixes: Sequence[str] = (".parquet",)
) -> None:
    """Raise unless a file can be written at `path`.

    Raises
    ------
    InputError
        If it is a folder, has another suffix, its folder takes no files, or it is one of the
        `inputs` or lies in one.
    """
    if path.is_dir():
        example = path / f"fits{suffixes[0]}"
        raise InputError(f"{path}: is a folder, expected the name of a file; give {example}")
    if path.suffix not in suffixes:
        raise InputError(
            f"{path}: expected a name that ends in {' or '.join(suffixes)}, got "
            f"{path.suffix or 'no suffix'}; give {path.with_suffix(suffixes[0])}"
        )
    _check_parent(path)
    refuse_to_replace(path, inputs)


def check_folder(path: Path, *, inputs: Sequence[Path] = ()) -> None:
    """Raise unless a folder can be written at `path`.

    Raises
    ------
    InputError
        If it is a file, the folder around it takes no files, or it is one of the `inputs`, lies in
        one or holds one.
    """
    if path.is_file():
        raise InputError(f"{path}: is a file, expected a folder to write into; give another name")
    _check_parent(path)
    refuse_to_replace(path, inputs)


def _check_parent(path: Path) -> None:
    parents = path.absolute().parents
    nearest = next(parent for parent in parents if parent.exists())
    if not nearest.is_dir():
        raise InputError(f"{path}: {nearest} is a file, expected a folder; give another name")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{path}: {nearest} takes no files; write elsewhere")
