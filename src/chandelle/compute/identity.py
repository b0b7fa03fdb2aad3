"""What identifies the content of an input or an output: the SHA-256 of a file or of a tree."""

import hashlib
import os
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

    Temporary files (a dot first) are not content.

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
    """Files of a folder and of those in it, without temporary ones, sorted."""
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _is_temporary(name)]
        found += [Path(where, name) for name in names if not _is_temporary(name)]
    return sorted(found)


def _is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith((".tmp", ".old"))
