"""Why a task failed, and what is to be done about it."""

import errno
import traceback
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


class MissingOutputError(ChandelleError):
    """A task ended well without an output it had promised."""


def reason_of(error: BaseException) -> Reason:
    """Classify what a task raised.

    ``data`` and ``program`` would come again: a dead letter at once. ``transient`` is the place
    (disk, network): tried again. ``memory`` is tried again with more of it.
    """
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, MissingOutputError):
        return "program"
    if isinstance(error, ConnectionError | TimeoutError):
        return "transient"
    if isinstance(error, OSError):
        return "transient" if error.errno in _PLACE else "data"
    if isinstance(error, ChandelleError | ValueError | LookupError | ArithmeticError):
        return "data"
    return "program"


def told(error: BaseException) -> str:
    """Say what was raised and in which line of which file."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({Path(last[0].filename).name}:{last[0].lineno})" if last else ""
    return f"{type(error).__name__}: {error}{where}"


def stops_the_run(error: BaseException) -> bool:
    """Whether every other task would meet the same: a full or read-only disk."""
    return isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
