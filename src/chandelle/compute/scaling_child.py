"""One size of a scaling in a process of its own: ``python -m chandelle.compute.scaling_child``.

The request comes by standard input, and what happens goes by standard output, as lines of JSON;
what the function prints goes to stderr. A line is sent as soon as there is something to say, so
that a process that dies loses only its last call.
"""

import base64
import contextlib
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import psutil

from chandelle.compute.failures import told
from chandelle.compute.user_code import check_call, load_function
from chandelle.core.errors import InputError
from chandelle.core.threads import cores

_GB = 1e9
_LEAST_S = 0.1
"""A repeat goes on for so long at least, with as many calls as that takes."""
_ERROR_LENGTH = 600


def packed(function: str | Callable[[Any], Any]) -> dict[str, str]:
    """A function as `unpacked` takes it: by name, or whole, through the pipe, never on disk.

    Raises
    ------
    InputError
        If it cannot be sent.
    """
    if isinstance(function, str):
        return {"name": function}
    name = label_of(function)
    try:
        return {"name": name, "body": base64.b64encode(cloudpickle.dumps(function)).decode()}
    except Exception as error:
        raise InputError(
            f"{name}: cannot be sent to a process of its own, {told(error)}; write it into a file "
            'and give "FILE.py:FUNCTION"'
        ) from error


def unpacked(sent: dict[str, str], *, argument: str) -> Callable[[Any], Any]:
    """The function that was sent.

    Raises
    ------
    InputError
        If it cannot be had here, or does not take one argument.
    """
    if "body" not in sent:
        return load_function(sent["name"], argument=argument)
    try:
        function = cloudpickle.loads(base64.b64decode(sent["body"]))
    except Exception as error:
        raise InputError(f"{sent['name']}: cannot be imported, {told(error)}") from error
    check_call(function, sent["name"], argument=argument)
    return function


def label_of(function: str | Callable[[Any], Any]) -> str:
    """Name of a function for people."""
    if isinstance(function, str):
        return function
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", type(function).__name__)
    return name if module in {None, "__main__"} else f"{module}:{name}"


class _Calls:
    """Calls of a function with data made afresh for each, so that it may change them."""

    def __init__(self, function: Callable, make: Callable[[int], Any] | None, n: int) -> None:
        self._function, self._make, self._n = function, make, n
        self._data: Any = None
        self.peak_gb = 0.0

    def prepare(self) -> None:
        """Make the data, the former ones gone."""
        self._data = None
        self._data = self._n if self._make is None else self._make(self._n)

    def call(self) -> tuple[float, float]:
        """Wall and CPU seconds of a call with the data that were prepared."""
        _reset_peak()
        others = _cpu_of_children()
        cpu, wall = time.process_time(), time.perf_counter()
        result = self._function(self._data)
        if "jax" in sys.modules:
            sys.modules["jax"].block_until_ready(result)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        cpu += max(_cpu_of_children() - others, 0.0)
        self.peak_gb = max(self.peak_gb, _peak_gb())
        return wall, cpu

    def repeat(self) -> tuple[float, float, int]:
        """Mean wall and CPU seconds of calls for a tenth of a second, and their number."""
        gc.collect()
        begun, walls, cpus, count = time.perf_counter(), 0.0, 0.0, 0
        while count == 0 or time.perf_counter() - begun < _LEAST_S:
            self.prepare()
            wall, cpu = self.call()
            walls, cpus, count = walls + wall, cpus + cpu, count + 1
        return walls / count, cpus / count, count


def _cpu_of_children() -> float:
    """CPU seconds of the children that ended and of those that live."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = ended.ru_utime + ended.ru_stime
    for child in psutil.Process().children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


def _reset_peak() -> None:
    """Let Linux forget the largest memory so far; where it does not, that of the setup counts."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_gb() -> float:
    """Largest resident memory since it was reset."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="utf-8").splitlines()
        line = next(line for line in lines if line.startswith("VmHWM"))
        return float(line.split()[1]) * 1024 / _GB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _GB


def _resident_gb() -> float:
    return psutil.Process().memory_info().rss / _GB


def _measure(request: dict[str, Any], say: Callable[..., None]) -> None:
    if request["threads"] is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(cores()[-request["threads"] :]))
    n = request["n"]
    what = "what the setup gives" if request["setup"] else "the size"
    try:
        function = unpacked(request["function"], argument=what)
        setup = request["setup"]
        make = unpacked(setup, argument="the size") if setup else None
    except InputError as error:
        say("unusable", error=str(error))
        return
    gc.collect()
    base = _resident_gb()
    say("ready", base_gb=base)
    calls = _Calls(function, make, n)
    begun = time.perf_counter()
    calls.prepare()
    say("data", setup_s=time.perf_counter() - begun, data_gb=max(_resident_gb() - base, 0.0))
    wall, cpu = calls.call()
    say("first", wall_s=wall, cpu_s=cpu, peak_gb=calls.peak_gb)
    for _ in range(request["repeats"]):
        wall, cpu, count = calls.repeat()
        say("repeat", wall_s=wall, cpu_s=cpu, n_calls=count, peak_gb=calls.peak_gb)
    say("done")


def main() -> None:
    """Measure the size that standard input asks for."""
    request = json.loads(sys.stdin.read())
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def say(what: str, **facts: Any) -> None:
        channel.write(json.dumps({"what": what, **facts}) + "\n")

    try:
        _measure(request, say)
    except MemoryError as error:
        say("failed", status="memory", error=told(error)[:_ERROR_LENGTH])
    except Exception as error:  # noqa: BLE001 - whatever a user's function raises is told
        say("failed", status="error", error=told(error)[:_ERROR_LENGTH])


if __name__ == "__main__":
    main()
