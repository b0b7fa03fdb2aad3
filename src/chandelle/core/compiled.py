"""Functions compiled by numba for the CPU, their machine code kept between runs.

The twins of JAX kernels where a plain loop beats them (docs/decisions/0007). Nothing is built at
install; the first call compiles. numba stores a function under the time stamp of its own file and
sees no change of what it calls nor of a constant from another module, which is compiled into it; so
the folder of the cache is named after all sources of the package. numba itself keeps the code of
each kind of processor apart, by its name and what it can do, so a home folder may be shared.

Arithmetic is as written (no fast math): with sums reordered, the run that compiles gave other last
digits than the runs that load its machine code, and nothing was gained in time.
"""

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from chandelle.core.cache import writable_folder

_SOURCES = Path(__file__).parents[1]


@cache
def _folder() -> str:
    """Folder of the machine code of these sources, read once a process; empty for none."""
    text = b"".join(path.read_bytes() for path in sorted(_SOURCES.rglob("*.py")))
    folder = writable_folder("numba", hashlib.sha256(text).hexdigest()[:16])
    return str(folder or "")


def has_machine_code(entry: str) -> bool:
    """Whether an earlier run left machine code of an entry; without, its first call waits."""
    return bool(_folder()) and any(Path(_folder()).rglob(f"*.{entry}-*.nbi"))


def compiled(function: Callable) -> Any:
    """Compile a function of numbers and arrays that only compiled functions call.

    Leaving out the way in from Python halves the time to compile.

    Parameters
    ----------
    function : callable
        Its annotations are for the reader; numba takes the types of the call.

    Returns
    -------
    numba dispatcher
        For use as a decorator.
    """
    return _compile(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def compiled_entry(function: Callable) -> Any:
    """Compile a function of numbers and arrays that Python calls; the GIL is free while it runs."""
    return _compile(function, nogil=True)


def _compile(function: Callable, **options: Any) -> Any:
    # The type checker of the tests wraps every function; numba wants the bare one.
    bare = inspect.unwrap(function)
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = _folder()  # type: ignore[attr-defined]
    try:
        return numba.njit(bare, cache=bool(_folder()), error_model="numpy", **options)
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]


@compiled
def clear(row: NDArray[np.float64], n: int) -> None:
    """Set the first n numbers of a row to zero; `row[:n] = 0.0` takes far longer to compile."""
    for i in range(n):
        row[i] = 0.0
