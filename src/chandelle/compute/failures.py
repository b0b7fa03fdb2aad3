"""Why a task failed, and what is to be done about it."""

import errno
import http.client
import os
import shutil
import socket
import traceback
import urllib.error
from collections.abc import Collection
from pathlib import Path

from chandelle.compute.receipt import Reason
from chandelle.core.errors import ChandelleError

_PLACE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ESTALE,
    errno.EBUSY,
    errno.EEXIST,
    errno.ENOTEMPTY,
    errno.EAGAIN,
    errno.EMFILE,
    errno.ENFILE,
    errno.ETIMEDOUT,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
}
"""Errors of the operating system that tell of the place, not of the data; two drivers that replace
one folder at once can find it there, or not empty."""
_NETWORK = {"requests", "urllib3", "aiohttp", "httpx", "botocore"}
"""Packages whose errors of the system's kind tell of the network."""
_REFUSED = range(400, 500)
_LATER = {408, 425, 429}
"""Answers of an archive: it refuses, it asks to come again."""
_ROOM = 2**30
"""Free bytes of the run's disk above which a full disk without a name was another."""


class MissingOutputError(ChandelleError):
    """A task ended well without an output it had promised."""


def reason_of(error: BaseException, inputs: Collection[str] = ()) -> Reason:
    """Classify what a task raised.

    ``data`` and ``program`` would come again: a dead letter at once. ``transient`` is the place
    (disk, network, an input that was there when the task was planned): tried again. ``memory`` is
    tried again with more of it.

    Parameters
    ----------
    error : BaseException
        What was raised.
    inputs : collection of str
        Absolute paths of what the task reads.

    Returns
    -------
    str
        The reason.
    """
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)[:200]:
        return "memory"
    if isinstance(error, MissingOutputError):
        return "program"
    if isinstance(error, ConnectionError | TimeoutError):
        return "transient"
    if isinstance(error, ValueError | http.client.InvalidURL):
        return "data"
    if _is_of_network(error):
        return "data" if _is_refusal(error) else "transient"
    if isinstance(error, OSError):
        return _reason_of_system(error, inputs)
    if isinstance(error, ChandelleError | ValueError | LookupError | ArithmeticError):
        return "data"
    return "program"


def _reason_of_system(error: OSError, inputs: Collection[str]) -> Reason:
    """Tell an error of the place from one of the data."""
    if error.errno == errno.ENOENT and str(error.filename) in inputs:
        return "transient"
    return "transient" if error.errno in _PLACE else "data"


def _is_of_network(error: BaseException) -> bool:
    """Whether an error tells of the network: Python's own, or that of a package for it."""
    own = urllib.error.URLError | socket.gaierror | http.client.HTTPException
    packages = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return isinstance(error, own) or bool(packages & _NETWORK)


def _is_refusal(error: BaseException) -> bool:
    """Whether an archive answered that it will not, however often it is asked."""
    response = getattr(error, "response", None)
    answer = getattr(error, "code", None) or getattr(response, "status_code", None)
    return answer in _REFUSED and answer not in _LATER


def told(error: BaseException) -> str:
    """Say what was raised and in which line of which file."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({Path(last[0].filename).name}:{last[0].lineno})" if last else ""
    return f"{type(error).__name__}: {error}{where}"


def stops_the_run(error: BaseException, folder: Path) -> bool:
    """Whether every other task would meet the same: the run's disk is full, or not writable.

    A disk of one node that is full says nothing of the others.
    """
    if not isinstance(error, OSError):
        return False
    home = folder.absolute()
    path = Path(os.fsdecode(error.filename)).absolute() if error.filename is not None else None
    is_ours = path is None or path.is_relative_to(home)
    if error.errno in {errno.EACCES, errno.EPERM}:
        return path is not None and is_ours and not os.access(path.parent, os.W_OK)
    if error.errno == errno.ENOSPC and path is None:
        return shutil.disk_usage(home).free < _ROOM
    return is_ours and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
