"""Writes that are whole or absent: temporary name in the same folder, fsync, rename.

A temporary name says which process of which machine writes: ``.NAME.HOST-PID.WORD.tmp``; it ends in
``.old`` for what stood at the name before. Whether a process of this machine lives is known; one of
another counts as dead when its file is a day old, by the clock of the disk, or what it was writing
is done.
"""

import contextlib
import os
import platform
import re
import shutil
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from chandelle.core.errors import InputError

_OLD_S = 86_400.0
_PATTERN = re.compile(r"\.(.+)\.([^.]+)-(\d+)\.\w+\.(tmp|old)")


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
    temporary = path.with_name(temporary_name(path.name))
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        _sync(temporary)
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
    temporary = path.with_name(temporary_name(path.name))
    temporary.mkdir()
    aside = temporary.with_suffix(".old")
    try:
        yield temporary
        for where, _, names in os.walk(temporary, topdown=False):
            for name in names:
                _sync(Path(where, name))
            _sync(Path(where))
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


def temporary_name(name: str) -> str:
    """Name for something to be written, that no other process gives, for `remove_leftovers`."""
    return f".{name}.{_here()}-{os.getpid()}.{uuid.uuid4().hex[:12]}.tmp"


def _here() -> str:
    """Name of this machine, without the dots that part a temporary name."""
    return platform.node().replace(".", "_")


def remove_leftovers(*paths: str | Path) -> int:
    """Remove what dead processes left of writes to paths.

    The folder of the paths is read through, which takes long where it is large: for a second try.

    Returns
    -------
    int
        How many there were.
    """
    names: dict[Path, set[str]] = defaultdict(set)
    for path in map(Path, paths):
        names[path.parent].add(path.name)
    return sum(
        _remove(folder, lambda one, wanted=wanted: one.name in wanted, done=())
        for folder, wanted in names.items()
    )


def sweep_leftovers(folder: str | Path, done: Container[str]) -> int:
    """Remove what dead processes left in a folder; to be called once, when the work in it ends.

    Parameters
    ----------
    folder : str or Path
        Folder that was written to; not those in it.
    done : container of str
        Names in it that are written: whoever is still at one of them is not needed.

    Returns
    -------
    int
        How many there were; none where the disk does not let them be removed.
    """
    with contextlib.suppress(OSError):
        return _remove(Path(folder), lambda _: True, done=done)
    return 0


class _Temporary(NamedTuple):
    """A temporary file or folder, by its name."""

    path: Path
    name: str
    """What was to be written."""
    host: str
    pid: int
    kind: str


def _remove(folder: Path, is_asked: Callable[[_Temporary], bool], done: Container[str]) -> int:
    found = [one for one in _temporaries(folder) if is_asked(one)]
    here = _here()
    others = [one for one in found if one.host != here and one.name not in done]
    now = _now_at(folder) if others else 0.0
    count = 0
    for one in found:
        if one.kind == "old" and not (folder / one.name).exists():
            continue  # the last copy of what stood there
        if one.host == here:
            is_dead = not _is_alive(one.pid)
        else:
            is_dead = one.name in done or now - _changed_at(one.path, now) > _OLD_S
        if is_dead:
            _remove_one(one.path)
            count += 1
    return count


def _temporaries(folder: Path) -> list[_Temporary]:
    """All that stands in a folder under a temporary name."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(".")]
    except FileNotFoundError:
        return []
    matches = (_PATTERN.fullmatch(name) for name in names)
    return [
        _Temporary(folder / match[0], match[1], match[2], int(match[3]), match[4])
        for match in matches
        if match is not None
    ]


def _now_at(folder: Path) -> float:
    """Time by the clock that stamps the files of a folder, which may be another machine's."""
    with tempfile.TemporaryFile(dir=folder) as file:
        return os.fstat(file.fileno()).st_mtime


def _changed_at(path: Path, otherwise: float) -> float:
    """When something in a path was changed last; its own time tells nothing of what is in it."""
    try:
        return max(part.stat().st_mtime for part in (path, *path.rglob("*")))
    except FileNotFoundError:
        return otherwise


def _remove_one(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
