"""What identifies the content of an input or an output: the SHA-256 of a file or of a tree."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chandelle.core.errors import InputError
from chandelle.core.provenance import sha256_file


@dataclass(frozen=True, slots=True)
class Identity:
    """Content of a file or tree: SHA-256, bytes, files."""

    sha256: str
    size: int
    n_files: int = 1


def identity_of(path: Path) -> Identity:
    """Hash a file, or a folder: the names of its files with their hashes.

    Temporary files (a dot first) are not content. A link counts as what it leads to.

    Raises
    ------
    InputError
        If nothing is there.
    """
    if path.is_file():
        return Identity(sha256_file(path), path.stat().st_size)
    if not path.is_dir():
        raise InputError(f"{path}: expected a file or folder, found none")
    digest, size, count = hashlib.sha256(), 0, 0
    for file in files_of(path):
        digest.update(f"{file.relative_to(path).as_posix()}\0{sha256_file(file)}\n".encode())
        size += file.stat().st_size
        count += 1
    return Identity(digest.hexdigest(), size, count)


def files_of(folder: Path) -> list[Path]:
    """Files of a folder and of those in it, without temporary ones, sorted.

    Links to folders are followed, but for those that lead back to a folder around them.
    """
    return sorted(_walk(folder, frozenset()))


def _walk(folder: Path, around: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """Files in a folder; `around` are device and inode of the folders that it is in."""
    found = folder.stat()
    here = (found.st_dev, found.st_ino)
    if here in around:
        return
    with os.scandir(folder) as entries:
        kept = [entry for entry in entries if not _is_temporary(entry.name)]
    for entry in kept:
        if entry.is_dir():
            yield from _walk(folder / entry.name, around | {here})
        else:
            yield folder / entry.name


def _is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith((".tmp", ".old"))
