"""Reading of files and archives with a bound on their size: a small one cannot grow huge."""

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from chandelle.core.errors import InputError

MAX_FILE = 50_000_000
"""Largest light-curve file [byte]."""
MAX_ARCHIVE = 20_000_000_000
"""Largest sum of the files of one archive, unpacked [byte]."""
ARCHIVES = (".tar", ".tar.gz", ".tgz")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")


def is_archive(path: Path) -> bool:
    """Whether a file is a tar archive by its name."""
    return path.name.lower().endswith(ARCHIVES) and path.is_file()


def is_plain_name(name: str) -> bool:
    """Whether a name from a file may become part of a path: one word, no folder, no ``..``."""
    return _NAME.fullmatch(name) is not None


def read_bounded(path: Path, *, limit: int = MAX_FILE) -> bytes:
    """Read a file, unpacking ``.gz``, up to `limit` bytes.

    Parameters
    ----------
    path : Path
        The file.
    limit : int
        Most bytes, unpacked.

    Returns
    -------
    bytes
        Its content.

    Raises
    ------
    InputError
        If it is absent, longer than `limit`, or not what ``.gz`` says.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        if path.suffix.lower() == ".gz":
            with gzip.open(path) as stream:
                content = stream.read(limit + 1)
        else:
            with open(path, "rb") as stream:
                content = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: expected a whole file, {error}") from error
    if len(content) > limit:
        raise InputError(f"{path}: more than {limit} bytes unpacked; expected a light curve")
    return content


def archive_names(path: Path) -> list[str]:
    """Names of the plain files of an archive.

    Parameters
    ----------
    path : Path
        A tar archive.

    Returns
    -------
    list of str
        In the order of the archive.

    Raises
    ------
    InputError
        If it is no archive, or too large.
    """
    return [member.name for member, _ in _members(path)]


def archive_files(path: Path, suffixes: tuple[str, ...] = ("",)) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of an archive's plain files; nothing is written to disk.

    Parameters
    ----------
    path : Path
        A tar archive.
    suffixes : tuple of str
        Ends of the names wanted, in lower case.

    Yields
    ------
    name : str
        Path within the archive.
    content : bytes
        What it holds.

    Raises
    ------
    InputError
        If it is no archive, or a file or the whole is too large.
    """
    for member, archive in _members(path):
        if not member.name.lower().endswith(suffixes):
            continue
        if member.size > MAX_FILE:
            raise InputError(f"{path}: {member.name} has {member.size} bytes, a light curve?")
        stream = archive.extractfile(member)
        yield member.name, (stream or BytesIO()).read()


def _members(path: Path) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    total = 0
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                total += member.size
                if total > MAX_ARCHIVE:
                    raise InputError(f"{path}: more than {MAX_ARCHIVE} bytes unpacked")
                if member.isfile():
                    yield member, archive
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: expected a whole tar archive, {error}") from error
