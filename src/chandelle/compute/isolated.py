"""A task in a process of its own: its memory and its crashes are not those of the worker.

The child is ``python -m chandelle.compute.isolated FOLDER ATTEMPT``: the task comes by standard
input as JSON, the outcome goes by standard output as JSON; what the task prints goes to stderr.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import psutil

from chandelle.compute.task import Task
from chandelle.compute.work import Outcome, run_task

_POLL_S = 0.1
_GB = 1e9


def run_isolated(
    task: Task, folder: Path, *, attempt: int = 1, memory_gb: float | None = None
) -> Outcome:
    """Run a task in a new process, and end it where it takes more memory than it may.

    Parameters
    ----------
    task, folder, attempt
        As `run_task` takes them.
    memory_gb : float, optional
        Resident memory it may take; that of the task if absent.

    Returns
    -------
    Outcome
        That of the task; ``lost`` if the process died, ``memory`` if it was ended.
    """
    limit = memory_gb or task.memory_gb
    command = [sys.executable, "-m", "chandelle.compute.isolated", str(folder), str(attempt)]
    # The child finds the modules that this process finds.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    started = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - our own module
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(task.to_json().encode())
            child.stdin.close()
        except BrokenPipeError:
            pass  # It died at once; its exit code says how.
        peak = _watch(child, limit)
        said = child.stdout.read()
        child.wait()
    wall = time.perf_counter() - started
    if peak > limit:
        error = f"took {peak:.2f} GB, may take {limit:g} GB"
        return Outcome(id=task.id, reason="memory", error=error, wall_s=wall)
    try:
        return Outcome(**json.loads(said))
    except (ValueError, TypeError):
        error = f"its process died{_how(child.returncode)}"
        return Outcome(id=task.id, reason="lost", error=error, wall_s=wall)


def _watch(child: subprocess.Popen, limit: float) -> float:
    """Wait for a child, kill it where it takes too much; the largest memory seen [GB]."""
    peak = 0.0
    while child.poll() is None:
        peak = max(peak, _memory_gb(child.pid))
        if peak > limit:
            child.kill()
            break
        time.sleep(_POLL_S)
    return peak


def _memory_gb(pid: int) -> float:
    """Resident memory of a process and its children."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return sum(member.memory_info().rss for member in family) / _GB
    except psutil.Error:
        return 0.0


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f" by signal {-code} ({signal.Signals(-code).name})"
    return f" with exit code {code}"


def main() -> None:
    """Run the task that standard input holds."""
    folder, attempt = Path(sys.argv[1]), int(sys.argv[2])
    task = Task.from_json(sys.stdin.read())
    answer = os.dup(1)
    os.dup2(2, 1)
    outcome = run_task(task, folder, attempt=attempt)
    with os.fdopen(answer, "w", encoding="utf-8") as channel:
        json.dump(asdict(outcome), channel)


if __name__ == "__main__":
    main()
