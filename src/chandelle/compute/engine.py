"""What a place that runs tasks offers to the driver, and the simplest one: this process."""

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from chandelle.compute.isolated import run_isolated
from chandelle.compute.resources import machine_gb, next_gb
from chandelle.compute.task import Task
from chandelle.compute.work import Outcome, run_task

Functions = Mapping[str, Callable]
"""Functions by the name that tasks call them by, for those that cannot be imported by it."""


@runtime_checkable
class Engine(Protocol):
    """A place that runs tasks."""

    def window(self) -> int:
        """How many tasks may be out at a time."""
        ...

    def submit(self, task: Task, *, attempt: int, memory_gb: float | None = None) -> None:
        """Hand over a task; with another memory than its own where that was too little."""
        ...

    def wait(self, timeout: float) -> list[Outcome]:
        """Outcomes that have come; waits for the first so long at most."""
        ...

    def workers(self) -> int:
        """How many workers there are now."""
        ...

    def queued(self) -> int:
        """How many were asked for and wait in the queue of a batch system."""
        ...

    def revive(self) -> str:
        """Ask for workers anew; says what was done."""
        ...

    def larger_gb(self, task: Task, had: float | None) -> float | None:
        """Memory for a task that had too little: what it asks for, if not `had`; None: no more."""
        ...

    def is_shared(self) -> bool:
        """Whether tasks that run at the same time may take memory from each other."""
        ...

    def close(self) -> None:
        """Let go of what the engine itself has started."""
        ...


def perform(
    task: Task,
    folder: Path,
    *,
    attempt: int,
    memory_gb: float | None = None,
    function: Callable | None = None,
) -> Outcome:
    """Run a task where it asks to be run: here, or in a process of its own."""
    if task.is_isolated:
        how = {"memory_gb": memory_gb, "function": function}
        return run_isolated(task, folder, attempt=attempt, **how)
    return run_task(task, folder, attempt=attempt, function=function)


class SerialEngine:
    """One task after the other in this process: for looking into things."""

    def __init__(self, folder: Path, functions: Functions | None = None) -> None:
        self._folder = folder
        self._functions = functions or {}
        self._waiting: deque[tuple[Task, int, float | None]] = deque()

    def window(self) -> int:
        """One at a time."""
        return 1

    def submit(self, task: Task, *, attempt: int, memory_gb: float | None = None) -> None:
        """Keep a task for `wait`."""
        self._waiting.append((task, attempt, memory_gb))

    def wait(self, timeout: float) -> list[Outcome]:
        """Run the next task."""
        if not self._waiting:
            return []
        task, attempt, memory_gb = self._waiting.popleft()
        function = self._functions.get(task.call)
        how = {"attempt": attempt, "memory_gb": memory_gb, "function": function}
        return [perform(task, self._folder, **how)]

    def workers(self) -> int:
        """One: the process itself."""
        return 1

    def queued(self) -> int:
        """None waits."""
        return 0

    def revive(self) -> str:
        """Nothing can be gone."""
        return ""

    def larger_gb(self, task: Task, had: float | None) -> float | None:
        """Next class of memory that this machine has."""
        return next_gb(had or task.memory_gb, machine_gb())

    def is_shared(self) -> bool:
        """There is one machine."""
        return True

    def close(self) -> None:
        """Nothing was started."""
