"""What the tests of scaling measure: work and memory of a known law, and ways to fail."""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

_UNIT = 30


def linear(n: int) -> int:
    """Count to 30 N."""
    total = 0
    for k in range(_UNIT * n):
        total += k
    return total


def quadratic(n: int) -> int:
    """Count to N^2 / 10."""
    total = 0
    for k in range(n**2 // 10):
        total += k
    return total


def matrix(n: int) -> float:
    """Fill N x N numbers: 8 N^2 bytes."""
    return float(np.ones((n, n))[-1, -1])


def numbers(n: int) -> np.ndarray:
    """Make N numbers out of order, by way of twenty times as many."""
    return np.random.default_rng(1).random(20 * n)[::20].copy()


def sort_in_place(data: np.ndarray) -> None:
    """Sort; refuse what is sorted already."""
    if np.all(np.diff(data) >= 0):
        raise ValueError("the data were sorted before")
    data.sort()


def cholesky(n: int) -> np.ndarray:
    """Decompose a dense matrix."""
    matrix = np.full((n, n), 0.5)
    np.fill_diagonal(matrix, 2.0)
    return np.linalg.cholesky(matrix)


def in_children(n: int) -> None:
    """Let another process count and take 100 MB."""
    code = (
        f"x = bytearray(10**8); x[::4096] = b'1' * len(x[::4096])\nfor _ in range(100 * {n}): pass"
    )
    subprocess.run([sys.executable, "-c", code + "\nimport time; time.sleep(0.4)"], check=True)


def fails_at_300(n: int) -> int:
    """Find 300 impossible."""
    if n == 300:
        raise ValueError("300 is no good")
    return linear(n)


def no_memory_at_300(n: int) -> int:
    """Have no memory for 300."""
    if n == 300:
        raise MemoryError
    return linear(n)


def killed_at_300(n: int) -> int:
    """Be killed at 300."""
    if n == 300:
        os.kill(os.getpid(), signal.SIGKILL)
    return linear(n)


def exits_at_300(n: int) -> int:
    """Leave at 300, and say why."""
    if n == 300:
        sys.stderr.write("a library gave up\n")
        os._exit(7)
    return linear(n)


def sleeps(n: int) -> None:
    """Wait a millisecond for each."""
    time.sleep(1e-3 * n)


def greedy(n: int) -> int:
    """Take a megabyte for each, and hold it a while."""
    held = np.ones(n * 125_000)
    time.sleep(0.5)
    return len(held)


def slow_first(n: int) -> int:
    """Take long for the first call, as what compiles does."""
    _compile()
    return linear(n)


@functools.cache
def _compile() -> None:
    until = time.process_time() + 0.8
    while time.process_time() < until:
        linear(1000)


@functools.cache
def remembers(n: int) -> int:
    """Do it once only."""
    return linear(1000 * n)


def two(n: int, m: int) -> int:
    """Take two numbers."""
    return n + m


def threads(_: int) -> None:
    """Refuse to run with more than a thread and a core."""
    if os.environ["OPENBLAS_NUM_THREADS"] != "1" or len(os.sched_getaffinity(0)) != 1:
        raise ValueError("more than one thread")


def prints(n: int) -> int:
    """Talk on both channels."""
    sys.stdout.write("hello\n")
    sys.stderr.write("there\n")
    return linear(n)


def compiles_once(n: int) -> int:
    """Make something that takes long and is kept in a file, the first time."""
    kept = Path(os.environ["SCALED_CACHE"])
    if not kept.exists():
        _compile()
        kept.touch()
    return linear(n)
