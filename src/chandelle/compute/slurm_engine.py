"""Tasks by dask on jobs of Slurm: as many jobs as there are tasks for, of the memory they need.

Each class of memory is a cluster of its own, opened when the first task needs it and kept for the
run. Its jobs grow with the tasks that are out, to those of the profile; a job that ends is replaced
while it is needed; one that has had nothing to do for a while is given back, a busy one never.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Client
from distributed.deploy.adaptive import Adaptive

from chandelle.compute import slurm
from chandelle.compute.clients import slurm_cluster
from chandelle.compute.dask_engine import WINDOW, DaskEngine
from chandelle.compute.engine import Functions
from chandelle.compute.profile import Profile
from chandelle.compute.resources import next_gb
from chandelle.compute.task import Task
from chandelle.compute.work import Outcome
from chandelle.core.errors import ChandelleError

_log = logging.getLogger(__name__)
_TURN_S = 1.0
_LOOK_S = 30.0
"""Between two looks into the queue, as long as jobs are awaited; more than the time in which dask
itself drops a worker that was lost."""
_PAUSE_S = 0.02


class Keeper(Adaptive):
    """Keeps as many jobs as are needed.

    Parameters
    ----------
    cluster : JobCluster
        Whose jobs.
    needed : callable
        How many have something to do; asked every second.
    idle_s : float
        How long a job may have nothing to do before it is given back.
    maximum : int
        Jobs at most.
    """

    def __init__(
        self, cluster: Any, *, needed: Callable[[], int], idle_s: float, maximum: int
    ) -> None:
        self._jobs, self._needed = cluster, needed
        self._looked, self._gone, self.queued = float("-inf"), set[str](), 0
        turns = max(round(idle_s / _TURN_S), 1)
        super().__init__(cluster, minimum=0, maximum=maximum, interval=_TURN_S, wait_count=turns)

    async def target(self) -> int:
        """How many jobs there should be."""
        return self._needed()

    async def recommendations(self, target: int) -> dict:
        """Say which jobs to start or to give back; those that ended are started anew if needed."""
        await self._look()
        spare = max(len(self.plan) - target, 0)
        for name in sorted(self.plan - self.requested)[:spare]:
            del self._jobs.worker_spec[name]
        return await super().recommendations(target)

    async def workers_to_close(self, target: int) -> list[str]:
        """Workers without a task, beyond those that are not there yet."""
        coming = self.requested - self.observed
        busy = {
            worker.name for worker in self._jobs.scheduler.workers.values() if worker.processing
        }
        spare = max(len(self.plan) - len(coming) - target, 0)
        return sorted(self.observed - busy)[:spare]

    async def _look(self) -> None:
        """Count the jobs that come; let go of those that ended before their worker came.

        dask learns of the end of a job by its worker alone, and would wait for these for ever. One
        that runs comes too, until its worker is there: nodes boot, programs are read from far.
        """
        coming = self.requested - self.observed
        jobs = {name: self._jobs.workers[name].job_id for name in coming}
        self._gone &= jobs.keys()
        if jobs and time.monotonic() - self._looked >= _LOOK_S:
            self._looked = time.monotonic()
            await self._drop(jobs)
        self.queued = len(jobs.keys() - self._gone)

    async def _drop(self, jobs: dict[str, str | None]) -> None:
        """Let go of those among these jobs that two looks into the queue have not found."""
        try:
            states = await asyncio.to_thread(slurm.own_jobs)
        except ChandelleError as error:
            _log.warning("%s; the jobs are taken for what they were", error)
            return
        there = {job for job, state in states.items() if state != "COMPLETING"}
        gone = {name for name, job in jobs.items() if job not in there}
        for name in gone & self._gone:
            _log.warning("job %s ended before its worker came; another is asked for", jobs[name])
            self._jobs.has_lost = True
            if name in self._jobs.workers:
                await self._jobs.workers.pop(name).close()
        self._gone = gone - self._gone


@dataclass(frozen=True, slots=True)
class _Pool:
    """Jobs of one class of memory."""

    cluster: Any
    client: Client
    engine: DaskEngine
    keeper: Keeper

    def close(self) -> None:
        """Cancel what is out and end the jobs, whatever of it fails."""
        with ExitStack() as stack:
            stack.callback(self.cluster.close)
            stack.callback(self.client.close)
            stack.callback(self.engine.close)
            self.keeper.stop(reason="the run ends")


class SlurmEngine:
    """Tasks by dask on jobs of Slurm.

    Parameters
    ----------
    profile : Profile
        What the site wants to know.
    folder : Path
        Folder of the run, which the nodes see under the same name.
    functions : mapping, optional
        Functions that the workers cannot import.
    """

    def __init__(
        self, profile: Profile, folder: Path, *, functions: Functions | None = None
    ) -> None:
        self._profile, self._folder, self._functions = profile, folder, functions
        self._pools: dict[float, _Pool] = {}

    def window(self) -> int:
        """Three times the jobs that the profile allows."""
        return WINDOW * self._profile.jobs

    def submit(self, task: Task, *, attempt: int, memory_gb: float | None = None) -> None:
        """Send a task to jobs of the smallest class that holds it."""
        job_gb = self._profile.job_gb(memory_gb or task.memory_gb)
        if job_gb not in self._pools:
            self._pools[job_gb] = self._open(job_gb)
        self._pools[job_gb].engine.submit(task, attempt=attempt, memory_gb=memory_gb)

    def _open(self, job_gb: float) -> _Pool:
        cluster = slurm_cluster(self._profile, job_gb)
        client = Client(cluster, set_as_default=False)
        engine = DaskEngine(client, self._folder, functions=self._functions)
        keeper = Keeper(
            cluster,
            needed=engine.out,
            idle_s=self._profile.idle_s,
            maximum=self._profile.jobs,
        )
        return _Pool(cluster, client, engine, keeper)

    def wait(self, timeout: float) -> list[Outcome]:
        """Outcomes that have come, of all classes."""
        pools = list(self._pools.values())
        if len(pools) == 1:
            return pools[0].engine.wait(timeout)
        until = time.monotonic() + timeout
        while True:
            found = [outcome for pool in pools for outcome in pool.engine.wait(0.0)]
            if found or time.monotonic() > until:
                return found
            time.sleep(_PAUSE_S)

    def workers(self) -> int:
        """Workers that are there."""
        return sum(pool.engine.workers() for pool in self._pools.values())

    def queued(self) -> int:
        """Jobs that were asked for and have not ended, whose worker is not there yet."""
        return sum(pool.keeper.queued for pool in self._pools.values())

    def revive(self) -> str:
        """Jobs that ended are asked for anew by themselves; says what waits."""
        return f"{self.queued()} jobs wait in the queue or start; squeue --me says why"

    def larger_gb(self, task: Task, had: float | None) -> float | None:
        """What a task may take in a job of the class above the one it was in."""
        profile = self._profile
        was = profile.worker_gb(profile.job_gb(had or task.memory_gb))
        return next_gb(was, [profile.worker_gb(job_gb) for job_gb in profile.memory_gb])

    def is_shared(self) -> bool:
        """Each task has the memory of its job."""
        return False

    def close(self) -> None:
        """End all jobs."""
        with ExitStack() as stack:
            for pool in self._pools.values():
                stack.callback(pool.close)
