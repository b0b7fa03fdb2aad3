"""Functions compiled by numba for the CPU, their machine code kept between runs.

The twins of JAX kernels where a plain loop beats them (docs/decisions/0007). Nothing is built at
install; the first call compiles. numba stores a function under the time stamp of its own file and
does not see a change of what it calls, so the folder of the cache is named after the sources of all
compiled functions.
"""

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

from chandelle.core.cache import writable_folder

_SOURCES = Path(__file__).parents[1]
_MATH = {"contract", "reassoc", "arcp", "nsz"}
"""Rewritings that speed up sums; NaN and infinity keep their meaning."""


@cache
def _folder() -> str:
    """Folder of the machine code of these sources; empty for none."""
    text = b"".join(path.read_bytes() for path in sorted(_SOURCES.rglob("compiled/*.py")))
    folder = writable_folder("numba", hashlib.sha256(text).hexdigest()[:16])
    return str(folder or "")


def compiled(function: Callable) -> Any:
    """Compile a function of numbers and arrays; to be used as a decorator.

    The global interpreter lock is free while it runs.

    Parameters
    ----------
    function : callable
        Its annotations are for the reader; numba takes the types of the first call.

    Returns
    -------
    numba dispatcher
        ``.py_func`` is the function as written.
    """
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = _folder()  # type: ignore[attr-defined]
    try:
        return numba.njit(
            inspect.unwrap(function),
            cache=bool(_folder()),
            nogil=True,
            error_model="numpy",
            fastmath=_MATH,
        )
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]
