"""Writes that are whole or absent: temporary name in the same folder, fsync, rename.

A temporary name says which process of which machine writes, so that what a dead one left behind can
be told from what another is at.
"""

import os
import platform
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
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path), suffix=".tmp")
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


def _prefix(path: Path) -> str:
    return f".{path.name}.{platform.node()}-{os.getpid()}."


def remove_leftovers(path: str | Path) -> int:
    """Remove what dead processes of this machine left of writes to `path`; how many there were."""
    path, here, count = Path(path), f".{Path(path).name}.{platform.node()}-", 0
    entries = path.parent.iterdir() if path.parent.is_dir() else ()
    for entry in [entry for entry in entries if entry.name.startswith(here)]:
        pid = entry.name.removeprefix(here).partition(".")[0]
        if pid.isdigit() and not _is_alive(int(pid)):
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
            count += 1
    return count


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


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
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=_prefix(path), suffix=".tmp"))
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
