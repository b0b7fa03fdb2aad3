"""The measurement of one size: starts its process, watches its time and memory, keeps its words."""

import contextlib
import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import IO, Any, Literal

import psutil

from chandelle.compute.resources import ONE_THREAD
from chandelle.core.errors import InputError

_log = logging.getLogger(__name__)
_POLL_S = 0.1
_PATIENCE_S = 20.0
_GB = 1e9
_TAIL = 200
_CHILD = "chandelle.compute.scaling_child"

Status = Literal["ok", "error", "memory", "killed", "time", "not run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one size costs.

    Parameters
    ----------
    n : int
        The size.
    status : str
        ``"ok"``; ``"error"`` it raised, ``"memory"`` it had not enough, ``"killed"`` its process
        died, ``"time"`` it was ended, ``"not run"``.
    reason : str
        Why, where it is not ok.
    base_gb : float
        Memory after the imports, before there is anything of the size.
    data_gb : float
        Memory that the setup's data take beside.
    peak_gb : float
        Largest memory during the calls, base and data included.
    setup_s : float
        Wall time to make the data, not counted elsewhere.
    first_s : float
        CPU seconds of the first call: compilation, imports and caches are in it.
    cpu_runs, wall_runs : tuple of float
        CPU and wall seconds of a call in each repeat after the first call.
    total_s : float
        Wall time of the whole measurement.
    """

    n: int
    status: Status = "ok"
    reason: str = ""
    base_gb: float = float("nan")
    data_gb: float = float("nan")
    peak_gb: float = float("nan")
    setup_s: float = float("nan")
    first_s: float = float("nan")
    cpu_runs: tuple[float, ...] = ()
    wall_runs: tuple[float, ...] = ()
    total_s: float = 0.0

    @property
    def is_measured(self) -> bool:
        """Whether there is at least one call after the first, also where others failed."""
        return bool(self.cpu_runs)

    @property
    def has_failed(self) -> bool:
        """Whether it ran and did not end well."""
        return self.status not in {"ok", "not run"}

    @property
    def cpu_s(self) -> float:
        """CPU seconds of a call, of the process and its children: the median of the repeats."""
        return median(self.cpu_runs) if self.cpu_runs else float("nan")

    @property
    def wall_s(self) -> float:
        """Wall seconds of a call: the least of the repeats, as others only add to it."""
        return min(self.wall_runs, default=float("nan"))

    @property
    def work_s(self) -> float:
        """Wall time of one call for the first and for each repeat, and of their setups."""
        return (1 + len(self.wall_runs)) * (self.setup_s + self.wall_s)


def measure_size(
    request: Mapping[str, Any], *, threads: int | None, limit_s: float, memory_gb: float
) -> Measurement:
    """Measure a size in a new process, which is ended where it takes too long or too much.

    Parameters
    ----------
    request : mapping
        What the child reads: function, setup, n, repeats, threads.
    threads : int, optional
        Threads that libraries may take; as they like if absent.
    limit_s : float
        Wall time it may take.
    memory_gb : float
        Memory it and its children may take.

    Returns
    -------
    Measurement
        As far as it came.

    Raises
    ------
    InputError
        If the function or the setup cannot be used at all.
    """
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        command = [sys.executable, "-m", _CHILD]
        with subprocess.Popen(  # noqa: S603 - our own module
            command,
            env=_environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        ) as process:
            try:
                watch = _Watch(process, until=begun + limit_s, memory_gb=memory_gb)
                watch.send(request)
                watch.follow()
            finally:
                _end(process)
        printed = _tail(errors)
    if printed:
        _log.debug("N = %d printed: %s", request["n"], printed)
    failure = watch.failure(process.returncode, limit_s, printed)
    return Measurement(
        n=request["n"], total_s=time.perf_counter() - begun, **failure, **watch.facts
    )


def _environment(threads: int | None) -> dict[str, str]:
    """The child finds the modules that this process finds, and takes so many threads."""
    own = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if threads is None:
        return own
    counted = {name: str(threads) for name in ONE_THREAD if name.endswith("_THREADS")}
    return {**own, **ONE_THREAD, **counted}


class _Watch:
    """What a child says and takes while it runs."""

    def __init__(self, process: subprocess.Popen, *, until: float, memory_gb: float) -> None:
        self._process, self._until, self._memory_gb = process, until, memory_gb
        self._is_calling = self._is_done = False
        self._ended: dict[str, Any] = {}
        self.facts: dict[str, Any] = {}

    def send(self, request: Mapping[str, Any]) -> None:
        """Hand over the request."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode())
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # It died at once; its exit code says how.

    def follow(self) -> None:
        """Read the lines of the child until it ends or has to be ended."""
        assert self._process.stdout is not None
        pipe, rest = self._process.stdout.fileno(), b""
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while not (self._is_done or self._ended):
                if selector.select(_POLL_S):
                    piece = os.read(pipe, 1 << 16)
                    if not piece:
                        break
                    *lines, rest = (rest + piece).split(b"\n")
                    for line in lines:
                        self._hear(json.loads(line))
                elif self._process.poll() is not None:  # What it started may hold the pipe.
                    break
                self._weigh()
        if self._ended.get("status") not in {"memory", "time"}:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE_S)

    def _hear(self, said: dict[str, Any]) -> None:
        what = said.pop("what")
        if what == "unusable":
            raise InputError(said["error"])
        if what in {"ready", "data"}:
            self.facts |= said
        elif what == "first":
            self.facts["first_s"] = said["cpu_s"]
        elif what == "repeat":
            self.facts["cpu_runs"] = (*self.facts.get("cpu_runs", ()), said["cpu_s"])
            self.facts["wall_runs"] = (*self.facts.get("wall_runs", ()), said["wall_s"])
        elif what == "failed":
            self._ended = {"status": said["status"], "reason": said["error"]}
        self._is_calling = what in {"data", "first", "repeat"}
        self._is_done = what == "done"
        self._note_peak(said.get("peak_gb", 0.0))

    def _note_peak(self, gb: float) -> None:
        if gb > 0:
            self.facts["peak_gb"] = max(self.facts.get("peak_gb", 0.0), gb)

    def _weigh(self) -> None:
        """See whether the child must be ended; children of its own are sampled here only."""
        used, has_children = _memory_of(self._process.pid)
        if self._is_calling and has_children:
            self._note_peak(used)
        if self._is_done or self._ended:
            return
        if used > self._memory_gb:
            error = f"took {used:.2f} GB, may take {self._memory_gb:.2f} GB"
            self._ended = {"status": "memory", "reason": error}
        elif time.perf_counter() > self._until:
            self._ended = {"status": "time"}

    def failure(self, code: int | None, limit_s: float, printed: str) -> dict[str, Any]:
        """Status and reason, empty where all went well."""
        if self._ended.get("status") == "time":
            repeats = len(self.facts.get("cpu_runs", ()))
            self._ended["reason"] = f"ended after {limit_s:.3g} s, with {repeats} repeats done"
        if self._ended or self._is_done:
            return self._ended
        last = f"; it last printed: {printed.splitlines()[-1]}" if printed else ""
        return {"status": "killed", "reason": f"its process died{_how(code)}{last}"}


def _memory_of(pid: int) -> tuple[float, bool]:
    """Resident memory of a process and its children [GB], and whether it has any."""
    try:
        process = psutil.Process(pid)
        children = process.children(recursive=True)
        used = process.memory_info().rss
    except psutil.Error:
        return 0.0, False
    for child in children:
        try:
            used += child.memory_info().rss
        except psutil.Error:
            continue
    return used / _GB, bool(children)


def _end(process: subprocess.Popen) -> None:
    """End a child that still runs, and whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _tail(file: IO[bytes]) -> str:
    """The end of what was printed."""
    file.seek(0, os.SEEK_END)
    file.seek(max(file.tell() - 10 * _TAIL, 0))
    return file.read().decode(errors="replace").strip()


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f" by signal {-code} ({signal.Signals(-code).name})"
    return f" with exit code {code}"
