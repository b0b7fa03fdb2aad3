"""Measure how a function scales: each size in a process of its own, rising, within a budget."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import psutil

from chandelle.compute.resources import memory_here
from chandelle.compute.scaling_child import label_of, packed
from chandelle.compute.scaling_result import Scaling
from chandelle.compute.scaling_size import Measurement, measure_size
from chandelle.compute.usage import host
from chandelle.core.errors import InputError
from chandelle.core.threads import cores

_GB = 1e9
_SHARE = 0.9
"""Of the memory that is free, what a measurement may take."""


def measure_scaling(
    function: str | Callable[[Any], Any],
    sizes: Iterable[int],
    *,
    setup: str | Callable[[int], Any] | None = None,
    repeats: int = 3,
    threads: int | None = 1,
    limit_s: float = 600.0,
    budget_s: float = math.inf,
    memory_gb: float | None = None,
    progress: Callable[[Scaling], None] | None = None,
) -> Scaling:
    """Measure time and memory of a function at several sizes, each in a process of its own.

    Sizes run in rising order, after one call of the smallest that counts for nothing: what compiles
    and keeps it has it then. A call is repeated with data made afresh; where it takes less than a
    tenth of a second, a repeat is the mean of many. The first call of each process is kept apart.

    Parameters
    ----------
    function : callable or str
        Takes a size, or what `setup` makes of it. By name it is ``"my.py:func"`` or
        ``"package.module:func"``.
    sizes : iterable of int
        Three or more, over a factor of ten or more, as large as patience allows.
    setup : callable or str, optional
        Takes a size and makes the data of that size; its time is not counted, its data are in the
        memory.
    repeats : int
        Calls after the first, whose median counts.
    threads : int, optional
        Threads and cores for each measurement; None leaves both as they are.
    limit_s : float
        Wall time a size may take; it is ended then, and larger ones are not run.
    budget_s : float
        Wall time of all together: a size that is expected to exceed it is not run.
    memory_gb : float, optional
        Memory a size may take; it is ended beyond. 0.9 of what is free if absent.
    progress : callable, optional
        Gets what there is: before the first size, and after each.

    Returns
    -------
    Scaling
        The measurements, also those that failed, with their reasons.

    Raises
    ------
    InputError
        If an argument is impossible, or the function cannot be called.

    Examples
    --------
    >>> scaling = measure_scaling("math:sqrt", [10, 100, 1000], repeats=1)
    >>> scaling.law("cpu_s").is_growing
    False
    """
    wanted = _checked(sizes, repeats, threads)
    begun = time.perf_counter()
    asked = {
        "function": packed(function),
        "setup": None if setup is None else packed(setup),
        "threads": threads,
    }
    free_gb = memory_gb or _SHARE * min(psutil.virtual_memory().available / _GB, memory_here())

    def run(n: int, repeats: int) -> Measurement:
        limit = min(limit_s, begun + budget_s - time.perf_counter())
        how = {"threads": threads, "limit_s": limit, "memory_gb": free_gb}
        return measure_size({**asked, "n": n, "repeats": repeats}, **how)

    cold = run(wanted[0], 0)
    found = Scaling(
        function=label_of(function),
        setup="" if setup is None else label_of(setup),
        threads=threads,
        host=host(),
        n_cores=len(cores()),
        memory_gb=memory_here(),
        cold_s=cold.first_s,
        measurements=(),
    )
    tell = progress or (lambda _: None)
    tell(found)
    for n in wanted:
        reason = _why_not(found.measurements, n, left_s=begun + budget_s - time.perf_counter())
        if n == wanted[0] and cold.status == "time":
            measured = cold
        elif reason:
            measured = Measurement(n=n, status="not run", reason=reason)
        else:
            measured = run(n, repeats)
        found = replace(found, measurements=(*found.measurements, measured))
        tell(found)
    return found


def _checked(sizes: Iterable[int], repeats: int, threads: int | None) -> list[int]:
    """The sizes, rising.

    Raises
    ------
    InputError
        If they are not whole and positive, or a number is.
    """
    wanted = list(sizes)
    if not wanted or any(n != int(n) or n < 1 for n in wanted) or len(set(wanted)) < len(wanted):
        raise InputError(f"sizes must be different whole numbers from 1 on, got {wanted}")
    if repeats < 1:
        raise InputError(f"repeats must be at least 1, got {repeats}")
    if threads is not None and threads < 1:
        raise InputError(f"threads must be at least 1, got {threads}")
    return sorted(int(n) for n in wanted)


def _why_not(done: Sequence[Measurement], n: int, *, left_s: float) -> str:
    """Why a size is not to be run after the smaller ones; empty if it is."""
    for one in done:
        if one.status == "time":
            return f"N = {one.n} took too long already"
    expected = _expected_s(done, n)
    if expected > left_s:
        return f"would take about {expected:.2g} s, {max(left_s, 0.0):.2g} s of the budget are left"
    return ""


def _expected_s(done: Sequence[Measurement], n: int) -> float:
    """Wall time that the next size will take: at least linear, steeper as the last two say."""
    known = [one for one in done if one.is_measured]
    if not known:
        return 0.0
    last, power = known[-1], 1.0
    if len(known) > 1:
        former = known[-2]
        power = math.log(last.work_s / former.work_s) / math.log(last.n / former.n)
    return last.total_s + last.work_s * ((n / last.n) ** max(power, 1.0) - 1.0)
