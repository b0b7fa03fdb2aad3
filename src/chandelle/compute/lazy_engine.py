"""An engine that is opened when the first task needs it: no workers where all is done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chandelle.compute.engine import Engine
from chandelle.compute.places import Place, find_engine
from chandelle.compute.task import Task
from chandelle.compute.work import Outcome


class LazyEngine:
    """Opens another engine when it is first needed.

    Parameters
    ----------
    make : callable
        Opens it.
    """

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._make = make
        self._engine: Engine | None = None

    def _open(self) -> Engine:
        if self._engine is None:
            self._engine = self._make()
        return self._engine

    def window(self) -> int:
        """How many tasks may be out at a time."""
        return self._open().window()

    def submit(self, task: Task, *, attempt: int, memory_gb: float | None = None) -> None:
        """Hand over a task."""
        self._open().submit(task, attempt=attempt, memory_gb=memory_gb)

    def wait(self, timeout: float) -> list[Outcome]:
        """Outcomes that have come."""
        return self._open().wait(timeout)

    def workers(self) -> int:
        """How many workers there are now."""
        return self._open().workers()

    def queued(self) -> int:
        """How many wait in a queue."""
        return self._open().queued()

    def revive(self) -> str:
        """Ask for workers anew."""
        return self._open().revive()

    def larger_gb(self, task: Task, had: float | None) -> float | None:
        """Memory for a task that had too little."""
        return self._open().larger_gb(task, had)

    def is_shared(self) -> bool:
        """Whether tasks may take memory from each other."""
        return self._open().is_shared()

    def close(self) -> None:
        """Close what was opened."""
        if self._engine is not None:
            self._engine.close()


@contextmanager
def engine_for(on: Place, folder: Path) -> Iterator[Engine]:
    """Open the engine that a user names when the first task needs it, close it at the end.

    Raises
    ------
    InputError
        At once, if there is no such place.
    """
    engine = LazyEngine(find_engine(on, folder))
    try:
        yield engine
    finally:
        engine.close()
