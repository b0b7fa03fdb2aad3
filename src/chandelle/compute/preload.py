"""What each worker of dask does, those that replace lost ones too: first, and until it ends.

dask's own ``--lifetime`` hands a running task to another worker at once and throws away what was
done of it; here a worker takes no more tasks from then on, ends the one it has, and goes.
"""

import contextlib
import logging
import os
import random
import time
from typing import Any

from distributed import Status
from tornado.ioloop import PeriodicCallback

from chandelle.compute.programs import keep_programs
from chandelle.compute.resources import pin_to_core

DRAIN_AT = "CHANDELLE_DRAIN_AT"
"""Environment: from when on a worker takes no more tasks [s since 1970]; of the job, so that a
worker that replaces a lost one knows it too."""
_TURN_S = 0.5
_STAGGER = 0.05
"""Part of the life by which a worker may end earlier, so that not all end at once."""
_IDLE_TURNS, _FULL_TURNS = 3, 10
"""Turns without a task before a worker ends, or begins anew: the last outcome must be told, and
memory has time to be given back."""
# dask shows its own loggers in the log of a worker, and no others.
_log = logging.getLogger("distributed.worker.chandelle")


def dask_setup(worker: Any) -> None:
    """Keep compiled programs; hold a worker of one thread and a number for a name to its core."""
    keep_programs()
    name = str(worker.name)
    if worker.state.nthreads == 1 and name.isdigit():
        pin_to_core(int(name))
    turns = PeriodicCallback(_Life(worker).turn, 1000.0 * _TURN_S)
    worker.periodic_callbacks["chandelle"] = turns
    turns.start()


class _Life:
    """Ends a worker between two tasks: when its job is old, or its memory stays full."""

    def __init__(self, worker: Any) -> None:
        self._worker, self._idle, self._is_draining = worker, 0, False
        self._drain_at = _drain_at(os.environ.get(DRAIN_AT))

    async def turn(self) -> None:
        """Look whether it is time, and whether nothing runs."""
        worker = self._worker
        state = worker.state
        self._idle = 0 if state.executing or state.long_running else self._idle + 1
        is_open = worker.status in {Status.running, Status.paused}
        if is_open and not self._is_draining and time.time() >= self._drain_at:
            self._is_draining, self._idle = True, 0
            # Not `paused`: dask itself ends a pause when there is memory.
            worker.status = Status.closing_gracefully
            _log.info("the job is old: no more tasks are taken, what runs is ended")
        if self._is_draining and self._idle >= _IDLE_TURNS:
            await self._end()
        elif worker.status == Status.paused and self._idle >= _FULL_TURNS:
            _log.info("memory stays full after the tasks: the worker begins anew")
            await worker.close_gracefully(restart=True, reason="memory-stays-full")

    async def _end(self) -> None:
        """End worker and job; `close_gracefully` would wait for itself in this status."""
        self._worker.periodic_callbacks["chandelle"].stop()
        _log.info("the job is old and nothing runs: it ends")
        with contextlib.suppress(OSError):
            await self._worker.scheduler.retire_workers(
                workers=[self._worker.address],
                close_workers=False,
                remove=True,
                stimulus_id=f"job-is-old-{time.time()}",
            )
        await self._worker.close(nanny=True, reason="job-is-old")


def _drain_at(told: str | None) -> float:
    """Time of the end, or somewhat before: not all workers of a run may end at once."""
    if told is None:
        return float("inf")
    left = max(float(told) - time.time(), 0.0)
    return float(told) - _STAGGER * left * random.SystemRandom().random()
