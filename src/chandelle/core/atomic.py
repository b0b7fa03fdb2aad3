"""Writes that are whole or absent: temporary name in the same folder, fsync, rename."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chandelle.core.errors import InputError


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary path; rename it to `path` when the block ends well, else remove it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _refuse_to_lose(path: Path, new: Path) -> None:
    """Raise where replacing `path` by `new` would remove something else than an older `new`."""
    if path.is_file():
        raise InputError(f"{path}: is a file, expected a folder to write into; give another name")
    if path.is_dir():
        foreign = {entry.name for entry in path.iterdir()} - {entry.name for entry in new.iterdir()}
        if foreign:
            raise InputError(
                f"{path}: the folder holds other things ({', '.join(sorted(foreign)[:3])}) that "
                "would be lost; give the name of a new one"
            )


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Give a temporary folder; move it to `path` when the block ends well, else remove it.

    An older folder at `path` is renamed aside first and removed last, so a reader finds the old
    one, the new one, or (for the time of two renames) none; never half of one.

    Raises
    ------
    InputError
        If `path` is a file, or a folder that holds what the new one does not: it is somebody's.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
    aside = temporary.with_suffix(".old")
    try:
        yield temporary
        for file in temporary.rglob("*"):
            _sync(file)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        _refuse_to_lose(path, temporary)
        if path.exists():
            path.rename(aside)
        temporary.rename(path)
        _sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if aside.exists() and not path.exists():
            aside.rename(path)
        shutil.rmtree(aside, ignore_errors=True)
