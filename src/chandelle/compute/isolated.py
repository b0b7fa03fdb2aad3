"""A task in a process of its own: its memory and its crashes are not those of the worker.

The child is ``python -m chandelle.compute.isolated FOLDER ATTEMPT``: by standard input comes a line
of JSON, the task and its function if that cannot be imported; the outcome goes by standard output
as JSON; what the task prints goes to stderr. Standard input stays open as long as the parent wants
an answer: at its end, by whatever death of the parent, the child ends itself and its children, a
session of their own.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO

import cloudpickle
import psutil

from chandelle.compute.task import Task
from chandelle.compute.work import Outcome, run_task
from chandelle.core.errors import InputError

_POLL_S = 0.1
_GB = 1e9


def run_isolated(
    task: Task,
    folder: Path,
    *,
    attempt: int = 1,
    memory_gb: float | None = None,
    function: Callable | None = None,
) -> Outcome:
    """Run a task in a new process, and end it where it takes more memory than it may.

    Nothing that it started outlives it, nor does it outlive this process.

    Parameters
    ----------
    task, folder, attempt, function
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
    sent = json.dumps([task.to_json(), None if function is None else _packed(function)])
    started = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - our own module
        command,
        env=environment,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            _send(child.stdin, sent)
            peak = _watch(child, limit)
            said = child.stdout.read()
        finally:
            _end(child.pid)
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


def refuse_unsent(function: Callable) -> None:
    """Raise unless a function can go to a process of its own.

    Raises
    ------
    InputError
        With why not.
    """
    try:
        _packed(function)
    except Exception as error:
        raise InputError(
            f"{getattr(function, '__qualname__', function)}: cannot be sent to a process of its "
            f"own, {error}; open what it holds within it, or leave isolated=False"
        ) from error


def _packed(function: Callable) -> str:
    return base64.b64encode(cloudpickle.dumps(function)).decode()


def _send(channel: IO[bytes], line: str) -> None:
    """Write a line and keep the channel open, unless nobody is there: an exit code says how."""
    try:
        channel.write(f"{line}\n".encode())
        channel.flush()
    except BrokenPipeError:
        with suppress(BrokenPipeError):
            channel.close()


def _watch(child: subprocess.Popen, limit: float) -> float:
    """Wait for a child, kill it where it takes too much; the largest memory seen [GB]."""
    peak = 0.0
    while child.poll() is None:
        peak = max(peak, _memory_gb(child.pid))
        if peak > limit:
            _end(child.pid)
            break
        time.sleep(_POLL_S)
    return peak


def _end(leader: int) -> None:
    """Kill a process and all of its session that did not leave it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


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


def _unpacked(text: str) -> Callable:
    """Function that was sent; an error of its unpacking is one of the task."""
    return lambda task, folder: cloudpickle.loads(base64.b64decode(text))(task, folder)


def _end_with(parent: int) -> None:
    """Wait for the end of what the parent holds open, then end this session."""
    os.read(parent, 1)
    _end(os.getpid())
    os._exit(1)  # It leads no session: somebody else has started it.


def _standard_input() -> int:
    """Another descriptor of what the parent writes to; the task reads nothing from its own."""
    parent = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return parent


def main() -> None:
    """Run the task that standard input holds."""
    folder, attempt = Path(sys.argv[1]), int(sys.argv[2])
    text, packed = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with, args=(_standard_input(),), daemon=True).start()
    answer = os.dup(1)
    os.dup2(2, 1)
    function = None if packed is None else _unpacked(packed)
    outcome = run_task(Task.from_json(text), folder, attempt=attempt, function=function)
    with os.fdopen(answer, "w", encoding="utf-8") as channel:
        json.dump(asdict(outcome), channel)


if __name__ == "__main__":
    main()
