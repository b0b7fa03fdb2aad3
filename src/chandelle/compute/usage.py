"""Time and memory that a task takes, and where it runs."""

import os
import platform
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psutil

_POLL_S = 0.1
_GB = 1e9


def now() -> str:
    """UTC of this host, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def job_id() -> str:
    """Number of the batch job this process is in, or nothing."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID", "")


def host() -> str:
    """Name of this machine."""
    return platform.node()


@dataclass(slots=True)
class Usage:
    """What this process uses while the block runs; the peak is that of samples."""

    started: str = ""
    ended: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_gb: float = 0.0
    _wall: float = 0.0
    _cpu: float = 0.0
    _ended: threading.Event = field(default_factory=threading.Event)
    _watcher: threading.Thread | None = None

    def __enter__(self) -> "Usage":
        """Start to count."""
        self.started, self._wall, self._cpu = now(), time.perf_counter(), time.process_time()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop to count."""
        self._ended.set()
        if self._watcher is not None:
            self._watcher.join()
        self.wall_s = time.perf_counter() - self._wall
        self.cpu_s = time.process_time() - self._cpu
        self.ended = now()

    def _watch(self) -> None:
        process = psutil.Process()
        while True:
            self.peak_gb = max(self.peak_gb, process.memory_info().rss / _GB)
            if self._ended.wait(_POLL_S):
                return
