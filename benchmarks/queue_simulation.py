"""Tasks on many workers in simulated time: the real driver, a place that is a heap of events.

A job waits in the queue, starts its worker, takes tasks one after the other until it dies in the
middle of one, or has had nothing to do for a while, or the run ends. There are as many jobs as
tasks are out, up to those of the place, as with `slurm:`. The time that the driver takes for a task
is counted: while it is busy, the place goes on without it.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from chandelle.compute.drive import Clock, Driver, Policy
from chandelle.compute.receipt import Reason
from chandelle.compute.tally import Tally
from chandelle.compute.task import Task
from chandelle.compute.work import Outcome

STAGE = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of one run of a task.

    Parameters
    ----------
    wall_s : float
        How long it takes.
    reason : str
        How it ends: well if empty; a ``lost`` one takes its worker with it.
    """

    wall_s: float
    reason: Reason = ""


Fates = Callable[[int, int], Fate]
"""Fate of a task, by its number, in an attempt: the same whatever the order of the work."""
Births = Callable[[int], tuple[float, float]]
"""Of the job of a number: its wait in the queue, and from its start to its first task [s]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place of many workers.

    Parameters
    ----------
    workers : int
        Jobs at a time; those that die are replaced while there are tasks for them.
    births : callable
        What each job waits for.
    gap_s : float
        Between the tasks of a worker.
    notice_s : float
        From a death to its notice.
    submit_s, take_s : float
        Time of the driver to hand out a task and to take its outcome.
    idle_s : float
        After how long without work a job is given back.
    is_shared : bool
        Whether jobs may take memory from each other.
    """

    workers: int
    births: Births
    gap_s: float = 0.0
    notice_s: float = 0.0
    submit_s: float = 0.0
    take_s: float = 0.0
    idle_s: float = float("inf")
    is_shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a simulated run came to.

    Parameters
    ----------
    tally : Tally
        Of the driver.
    makespan_s : float
        From the first call of the driver to its end.
    useful_s, spoiled_s : float
        Time of workers in runs that went well, and in the others.
    allocated_s : float
        Time that jobs were there.
    """

    tally: Tally
    makespan_s: float
    useful_s: float
    spoiled_s: float
    allocated_s: float

    @property
    def efficiency(self) -> float:
        """Useful time over that of the jobs."""
        return self.useful_s / self.allocated_s


class SimulatedEngine:
    """An engine whose time is that of its events.

    Parameters
    ----------
    place : Place
        Where.
    fates : callable
        What becomes of each run.
    """

    def __init__(self, place: Place, fates: Fates) -> None:
        self._place, self._fates = place, fates
        self.time = 0.0
        self._order, self._born = count(), count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._waiting: deque[tuple[Task, int]] = deque()
        self._told: deque[Outcome] = deque()
        self._since: dict[int, float] = {}
        self._idle: dict[int, float] = {}
        self._coming, self._out = 0, 0
        self.useful_s = self.spoiled_s = self.allocated_s = 0.0

    @property
    def clock(self) -> Clock:
        """Its time, for the driver."""
        return Clock(now=lambda: self.time, sleep=self._go)

    def window(self) -> int:
        """Three times the workers, as with dask."""
        return 3 * self._place.workers

    def submit(self, task: Task, *, attempt: int, memory_gb: float | None = None) -> None:
        """Queue a task; an idle worker takes it, else another job is asked for."""
        self._go(self._place.submit_s)
        self._out += 1
        self._waiting.append((task, attempt))
        if self._idle:
            self._next(self._idle.popitem()[0])
        self._ask()

    def wait(self, timeout: float) -> list[Outcome]:
        """Let time go on until something is told; take what is there."""
        until = self.time + timeout
        while not self._told and self._events and self._events[0][0] <= until:
            self._go(self._events[0][0] - self.time)
        if not self._told:
            self._go(until - self.time)
        found = list(self._told)
        self._told.clear()
        self._out -= len(found)
        self._go(len(found) * self._place.take_s)
        return found

    def workers(self) -> int:
        """Workers that are there."""
        return len(self._since)

    def queued(self) -> int:
        """Jobs that wait."""
        return self._coming

    def revive(self) -> str:
        """Jobs are asked for by themselves."""
        return f"{self._coming} jobs wait"

    def larger_gb(self, task: Task, had: float | None) -> float | None:
        """Twice as much, as often as it is needed."""
        return 2 * (had or task.memory_gb)

    def is_shared(self) -> bool:
        """As the place says."""
        return self._place.is_shared

    def close(self) -> None:
        """End all jobs."""
        for worker in list(self._since):
            self._end(worker)

    def _go(self, seconds: float) -> None:
        """Let time go on by what happens in it."""
        until = self.time + max(seconds, 0.0)
        while self._events and self._events[0][0] <= until:
            self.time, _, happens = heapq.heappop(self._events)
            happens()
        self.time = until

    def _after(self, seconds: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.time + seconds, next(self._order), happens))

    def _ask(self) -> None:
        """Submit the jobs that are missing; each starts after its time in the queue."""
        while self.workers() + self._coming < min(self._out, self._place.workers):
            worker = next(self._born)
            queue_s, start_s = self._place.births(worker)
            self._coming += 1
            self._after(queue_s, partial(self._start, worker, start_s))

    def _start(self, worker: int, start_s: float) -> None:
        self._coming -= 1
        self._since[worker] = self.time
        self._after(start_s, partial(self._next, worker))

    def _next(self, worker: int) -> None:
        """Give a free worker its next task."""
        if not self._waiting:
            self._idle[worker] = self.time
            if self._place.idle_s < float("inf"):
                self._after(self._place.idle_s, partial(self._give_back, worker, self.time))
            return
        task, attempt = self._waiting.popleft()
        fate = self._fates(task.settings["number"], attempt)
        self._after(self._place.gap_s + fate.wall_s, partial(self._finish, worker, task.id, fate))

    def _give_back(self, worker: int, since: float) -> None:
        """End a job that has had nothing to do since then."""
        if self._idle.get(worker) == since:
            del self._idle[worker]
            self._end(worker)

    def _finish(self, worker: int, task_id: str, fate: Fate) -> None:
        outcome = Outcome(id=task_id, reason=fate.reason, wall_s=fate.wall_s)
        if fate.reason:
            self.spoiled_s += fate.wall_s
        else:
            self.useful_s += fate.wall_s
        if fate.reason == "lost":
            self._after(self._place.notice_s, partial(self._told.append, outcome))
            self._end(worker)
            self._ask()
        else:
            self._told.append(outcome)
            self._next(worker)

    def _end(self, worker: int) -> None:
        self.allocated_s += self.time - self._since.pop(worker)


def simulate(
    place: Place, fates: Fates, n_task: int, folder: Path, *, policy: Policy | None = None
) -> Course:
    """Run the driver over tasks of simulated fates; `folder` takes receipts of those given up."""
    engine = SimulatedEngine(place, fates)
    driver = Driver(engine, folder, STAGE, policy=policy, clock=engine.clock)
    tally = driver.run((_task(number) for number in range(n_task)), total=n_task)
    engine.close()
    return Course(
        tally=tally,
        makespan_s=engine.time,
        useful_s=engine.useful_s,
        spoiled_s=engine.spoiled_s,
        allocated_s=engine.allocated_s,
    )


def _task(number: int) -> Task:
    return Task(stage=STAGE, key=f"k{number}", call="nowhere:nothing", settings={"number": number})


def random_fates(
    seed: int, *, wall_s: float, spread: float, faults: Mapping[Reason, float]
) -> Fates:
    """Log-normal times of a mean and a relative spread; parts of the runs end somewhere in them."""
    sigma = float(np.sqrt(np.log1p(spread**2)))
    reasons, parts = list(faults), np.cumsum(list(faults.values()))

    def fate(number: int, attempt: int) -> Fate:
        length = np.random.default_rng([seed, number]).lognormal(-(sigma**2) / 2, sigma) * wall_s
        chance = np.random.default_rng([seed, number, attempt])
        which = int(np.searchsorted(parts, chance.random(), side="right"))
        if which < len(reasons):
            return Fate(wall_s=float(chance.random() * length), reason=reasons[which])
        return Fate(wall_s=float(length))

    return fate


def random_births(seed: int, *, queue_s: float, start_s: float) -> Births:
    """Exponential waits in the queue, and starts between half and one and a half of the mean."""

    def birth(number: int) -> tuple[float, float]:
        chance = np.random.default_rng([seed, 0, 0, number])
        return float(chance.exponential(queue_s)), float(chance.uniform(0.5, 1.5) * start_s)

    return birth


def greedy_makespan(workers: int, fates: Fates, n_task: int) -> float:
    """How long the same runs take where nothing is waited for, tried again at once [s]."""
    retries = Policy().retries
    again: list[tuple[int, int]] = []
    fresh: Iterator[tuple[int, int]] = ((number, 1) for number in range(n_task))
    busy: list[tuple[float, int, int]] = []
    time = 0.0
    for _ in range(workers):
        number, attempt = next(fresh)
        heapq.heappush(busy, (fates(number, attempt).wall_s, number, attempt))
    while busy:
        time, number, attempt = heapq.heappop(busy)
        reason = fates(number, attempt).reason
        if reason in {"lost", "memory"} or (reason == "transient" and attempt <= retries):
            again.append((number, attempt + 1))
        following = again.pop() if again else next(fresh, None)
        if following is not None:
            heapq.heappush(busy, (time + fates(*following).wall_s, *following))
    return time
