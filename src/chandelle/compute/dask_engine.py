"""Tasks on the workers of a dask client: laptop, Slurm, or wherever the client leads.

Only the text of a task goes out and an `Outcome` comes back; each future is let go at once, so
nothing is ever computed again for a worker that is gone.
"""

import itertools
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from distributed import Client, Future
from distributed.scheduler import KilledWorker

from chandelle.compute.engine import Functions, perform
from chandelle.compute.resources import MEMORY_GB, next_gb
from chandelle.compute.task import Task
from chandelle.compute.work import Outcome
from chandelle.core.errors import ChandelleError

WINDOW = 3
"""Tasks out for each worker: one runs, the next are near."""
_COUNT_S, _PAUSE_S = 1.0, 0.1
_ONE_EACH: Mapping[str, Any] = {"_data_producer": True}
"""Keeps a task at the scheduler until a worker is free, however few there are: else the first of a
run are handed out at once, and those that wait behind one that kills its worker are lost with it.
`Client.submit` hands it to dask's `Task`."""


class SchedulerGoneError(ChandelleError):
    """The scheduler of dask has ended, or cannot be reached any more."""


def run_text(
    text: str, folder: str, attempt: int, memory_gb: float | None, function: Callable | None
) -> Outcome:
    """Run a task on a worker."""
    task = Task.from_json(text)
    how: dict[str, Any] = {"attempt": attempt, "memory_gb": memory_gb, "function": function}
    return perform(task, Path(folder), **how)


class DaskEngine:
    """Tasks by a dask client.

    Parameters
    ----------
    client : Client
        Where they run; it stays the caller's.
    folder : Path
        Folder of the run, which the workers see under the same name.
    functions : mapping, optional
        Functions that the workers cannot import.
    memory_gb : tuple of float
        Classes of memory, for tasks in a process of their own.
    revive : callable, optional
        Asks the cluster for workers anew and says what it did.
    close : callable, optional
        Ends what was started for this engine.
    """

    def __init__(
        self,
        client: Client,
        folder: Path,
        *,
        functions: Functions | None = None,
        memory_gb: tuple[float, ...] = MEMORY_GB,
        revive: Callable[[], str] | None = None,
        close: Callable[[], None] | None = None,
    ) -> None:
        self._client, self._folder = client, str(folder.absolute())
        self._functions = functions or {}
        self._address = client.scheduler.address if client.scheduler else "of the client"
        self._memory_gb, self._revive, self._close = memory_gb, revive, close
        # A scheduler that serves several folders must not take one's task for another's.
        self._run = uuid.uuid4().hex
        self._futures: dict[str, Future] = {}
        self._submitted = itertools.count()
        self._finished: SimpleQueue[str] = SimpleQueue()
        self._counted, self._count, self._paused = -_COUNT_S, 0, 0

    def window(self) -> int:
        """Three times the workers."""
        return WINDOW * max(self.workers(), 1)

    def submit(self, task: Task, *, attempt: int, memory_gb: float | None = None) -> None:
        """Send a task to the scheduler."""
        self._await_scheduler()
        future = self._client.submit(
            run_text,
            task.to_json(),
            self._folder,
            attempt,
            memory_gb,
            self._functions.get(task.call),
            # Never a key that dask may still know: it would give the old future and run nothing.
            key=f"{task.stage}-{task.id}-{next(self._submitted)}-{self._run}",
            pure=False,
            retries=0,
            **_ONE_EACH,
        )
        self._futures[task.id] = future
        future.add_done_callback(lambda _: self._finished.put(task.id))

    def wait(self, timeout: float) -> list[Outcome]:
        """Outcomes that have come."""
        if not self._futures:
            return []
        found = []
        try:
            task_id = self._finished.get(timeout=timeout)
            while True:
                self._await_scheduler()
                found.append(self._collect(task_id))
                task_id = self._finished.get_nowait()
        except Empty:
            return found

    def _await_scheduler(self) -> None:
        """Wait while dask looks for a scheduler that does not answer; raise once it has given up.

        Where it is found again, what was out comes back as cancelled, and is tried again.
        """
        while self._client.status == "connecting":
            time.sleep(_PAUSE_S)
        if self._client.status in {"closing", "closed"}:
            raise SchedulerGoneError(
                f"the scheduler {self._address} is gone, {len(self._futures)} tasks were out: "
                "start one and give the same command again"
            )

    def _collect(self, task_id: str) -> Outcome:
        """Take an outcome and let the future go."""
        future = self._futures.pop(task_id)
        try:
            return future.result()
        except KilledWorker as error:
            return Outcome(id=task_id, reason="lost", error=f"its worker died: {error}"[:600])
        except Exception as error:  # noqa: BLE001 - dask hands on whatever went wrong
            text = f"{type(error).__name__}: {error}"[:600]
            return Outcome(id=task_id, reason="transient", error=text)
        finally:
            future.release()

    def workers(self) -> int:
        """Workers that take tasks or are at one; asked once a second.

        One whose memory stays full takes none, and one whose job is old: they count while they
        work.
        """
        now = time.monotonic()
        if now - self._counted > _COUNT_S:
            self._await_scheduler()
            known = self._client.scheduler_info().get("workers", {})
            self._count = sum(map(_is_at_work, known.values()))
            self._paused = sum(facts["status"] == "paused" for facts in known.values())
            self._counted = now
        return self._count

    def out(self) -> int:
        """Tasks that are out."""
        return len(self._futures)

    def queued(self) -> int:
        """None that this engine knows of."""
        return 0

    def larger_gb(self, task: Task, had: float | None) -> float | None:
        """Next class of memory."""
        return next_gb(had or task.memory_gb, self._memory_gb)

    def is_shared(self) -> bool:
        """Nothing is known of its workers, so they may be on one machine."""
        return True

    def revive(self) -> str:
        """Ask for workers anew."""
        said = self._revive() if self._revive else "the client has no cluster that could be asked"
        full = f"; the memory of {self._paused} is full, they take no task" if self._paused else ""
        return said + full

    def close(self) -> None:
        """Cancel what is out, end what was started for this engine."""
        if self._client.status == "running":
            self._client.cancel(list(self._futures.values()))
        if self._close is not None:
            self._close()


def _is_at_work(facts: Mapping[str, Any]) -> bool:
    """Whether a worker takes tasks, or is at one."""
    counts = facts["metrics"].get("task_counts", {})
    return facts["status"] == "running" or counts.get("executing", 0) > 0
