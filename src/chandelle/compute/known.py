"""Identities of files that were hashed before: not read again while they look the same.

A file whose size, time of change and inode are those of before is taken for the same, as `make`
does; `verify` reads everything.
"""

import json
import logging
from collections.abc import Iterable
from pathlib import Path

from chandelle.compute.identity import Identity, files_of, identity_of
from chandelle.core.atomic import atomic_file
from chandelle.core.errors import InputError

_log = logging.getLogger(__name__)


class KnownIdentities:
    """Identities of inputs of a run.

    Parameters
    ----------
    folder : Path
        Of the run; what is known stands in ``receipts/identities.json``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "receipts" / "identities.json"
        self._known: dict[str, list] = self._read()

    def inputs(self, paths: Iterable[str | Path]) -> dict[str, str]:
        """Identities of files and folders, as a `Task` takes them.

        Parameters
        ----------
        paths : iterable of str or Path
            In the folder of the run, or whole.

        Returns
        -------
        dict of str to str
            SHA-256 by path.

        Raises
        ------
        InputError
            If one is not there.
        """
        before = dict(self._known)
        found = {str(path): self._of(path).sha256 for path in paths}
        if self._known != before:
            self._write()
        return found

    def _of(self, path: str | Path) -> Identity:
        """Identity of one file or folder."""
        where = self.folder / path
        looks = _looks_of(where)
        former = self._known.get(str(path))
        if former is not None and former[0] == looks:
            return Identity(*former[1])
        found = identity_of(where)
        self._known[str(path)] = [looks, [found.sha256, found.size, found.n_files]]
        return found

    def _read(self) -> dict[str, list]:
        try:
            known = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            _log.debug("%s: %s; files are hashed again", self._path, error)
            return {}
        if not isinstance(known, dict):
            _log.debug("%s: expected names; files are hashed again", self._path)
            return {}
        return {path: entry for path, entry in known.items() if _is_whole(entry)}

    def _write(self) -> None:
        try:
            with atomic_file(self._path) as temporary:
                temporary.write_text(json.dumps(self._known), encoding="utf-8")
        except OSError as error:
            _log.debug("%s: %s; files will be hashed again", self._path, error)


def _is_whole(entry: object) -> bool:
    """Whether an entry holds looks and an identity."""
    match entry:
        case [list(), [str(), int(), int()]]:
            return True
    return False


def _looks_of(path: Path) -> list:
    """Size, time of change and inode of a file, or of all files of a folder."""
    if path.is_dir():
        return [[file.relative_to(path).as_posix(), *_stat(file)] for file in files_of(path)]
    if not path.is_file():
        raise InputError(f"{path}: expected a file or folder, found none")
    return _stat(path)


def _stat(file: Path) -> list[int]:
    found = file.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ino]
