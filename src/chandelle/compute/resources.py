"""What a worker is given: one thread, one core, its memory, its cache of compiled programs."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from chandelle.core.threads import cores

ONE_THREAD: Mapping[str, str] = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "MALLOC_TRIM_THRESHOLD_": "67108864",
    "MALLOC_MMAP_THRESHOLD_": "16777216",
}
"""Environment of a worker: libraries take one thread, and freed memory goes back to the system.

All of it but 64 MB, and arrays of more than 16 MB at once: were it returned bit by bit, as dask has
it by default (64 kB), raw frames would spend a quarter of their time in getting it anew.
"""

MEMORY_GB = (4.0, 8.0, 16.0, 32.0, 64.0)
"""Classes of memory [GB] where nobody says others."""


def next_gb(had: float, classes: Sequence[float]) -> float | None:
    """Give the class of memory above what was had; None where that was the last."""
    return next((gb for gb in classes if gb > had), None)


def machine_gb() -> tuple[float, ...]:
    """Classes of memory that this machine has."""
    whole = memory_here()
    return tuple(gb for gb in MEMORY_GB if gb < whole)


def memory_here() -> float:
    """Memory of this machine, or what a container is given of it [GB]."""
    whole = psutil.virtual_memory().total
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text(encoding="ascii").strip() if os.access(limit, os.R_OK) else "max"
    return min(whole, int(text) if text.isdigit() else whole) / 1e9


def exports() -> list[str]:
    """Lines of shell that give a job this environment, and the modules that this process finds."""
    environment = {**ONE_THREAD, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]


def pin_to_core(number: int) -> None:
    """Hold this process, and what it starts, to one core; JAX takes a thread a core it may use."""
    if hasattr(os, "sched_setaffinity"):
        own = cores()
        os.sched_setaffinity(0, {own[number % len(own)]})
