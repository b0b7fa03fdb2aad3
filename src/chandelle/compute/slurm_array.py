"""Tasks as arrays of Slurm jobs, without dask: for sites where dask is not to submit jobs.

Tasks that are out at the same time go into one array; an element runs some of them one after the
other and leaves the outcome of each as a small file. An element that ended without one died in the
first task it had begun: that one is lost, those behind it are handed out again. One that ended
before it had begun any tells of its place, not of its tasks: all are handed out again, later. What
another driver left running, which is dead, is finished first (`array_orphans`).
"""

import logging
import os
import re
import shlex
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from chandelle.compute import slurm
from chandelle.compute.array_folder import ArrayFolder, Order
from chandelle.compute.array_orphans import Orphans, View
from chandelle.compute.array_owner import Pulse, release
from chandelle.compute.engine import perform
from chandelle.compute.ledger import ARRAYS, Ledger
from chandelle.compute.patience import Patience
from chandelle.compute.profile import Profile
from chandelle.compute.resources import next_gb
from chandelle.compute.task import Task
from chandelle.compute.work import Outcome

_log = logging.getLogger(__name__)
_ELEMENTS = 1000
"""Elements of an array at most: what sites allow."""
_MOST_TASKS = 10
"""Tasks of an element at most, where its walltime holds them."""
_POLL_S, _POLL_PART, _LONGEST_POLL_S = 1.0, 0.01, 30.0
"""Between two looks: a hundredth of the age of the newest array, within these."""
_START_MIN = 2.0
"""What a job takes before its first task."""
_EMPTY_ROUNDS = 4
"""How often in a row elements may end before they begin a task, with growing waits, while no other
is at work."""
GRACE_S = 60.0
"""How long the files of an element may come after its end: a file system of the network shows them
late, by up to a minute."""
_AWAY_S = 900.0
"""How long the commands of Slurm may fail before the run ends."""
_NEVER = re.compile(
    r"invalid (account|partition|qos|license|feature|gres|generic|job array|time)"
    r"|unrecognized option|requested node configuration|memory specification|access denied",
    re.IGNORECASE,
)
"""What sbatch says where the same submission would always be refused."""


@dataclass(slots=True)
class _Array:
    """One array: what is left of the orders of each element, when it was submitted, when an element
    was first seen gone, which have finished a task, which ended too early, files seen last.
    """

    job: str
    folder: ArrayFolder
    elements: dict[int, list[Order]]
    submitted: float
    gone: dict[int, float] = field(default_factory=dict)
    worked: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def has_begun(self, number: int) -> bool:
        """Whether the first of the tasks that are left of an element was begun."""
        return f"{self.elements[number][0].task.id}.begun" in self.names


class SlurmArrayEngine:
    """Tasks as elements of job arrays.

    Parameters
    ----------
    profile : Profile
        What the site wants to know.
    folder : Path
        Folder of the run, which the nodes see under the same name.
    grace_s : float
        How long the files of an element may come after its end.
    """

    def __init__(self, profile: Profile, folder: Path, *, grace_s: float = GRACE_S) -> None:
        self._profile, self._folder = profile, folder.absolute()
        self._home = self._folder / "receipts" / ARRAYS
        self._grace_s = grace_s
        held = max(int((profile.walltime_min - _START_MIN) / profile.task_min), 1)
        self._window = _ELEMENTS * min(held, _MOST_TASKS)
        self._waiting: list[Order] = []
        self._arrays: list[_Array] = []
        self._running, self._queued, self._polled, self._is_at_work = 0, 0, 0.0, False
        self._submits, self._looks = Patience(10.0, 300.0), Patience(_POLL_S, 60.0)
        self._starts, self._trouble = Patience(30.0, 600.0), ""
        self._held: list[Order] = []
        self._orphans, self._pulse = Orphans(self._home), Pulse()
        self._opened = time.monotonic()

    def window(self) -> int:
        """As many as an array holds; no more before half of them are done, so that arrays are few.

        It is far more than jobs run at a time, unlike with dask: an element takes several tasks, so
        that Python starts once for them; each array waits anew in the queue, and sites limit how
        many there are, not how long they are. Slurm runs as many elements of an array at a time as
        the profile says.
        """
        is_filling = bool(self._waiting) or self._n_out() <= self._window // 2
        return self._window if is_filling else 0

    def _n_out(self) -> int:
        in_arrays = (orders for array in self._arrays for orders in array.elements.values())
        return len(self._held) + sum(map(len, in_arrays))

    def submit(self, task: Task, *, attempt: int, memory_gb: float | None = None) -> None:
        """Keep a task for the next array."""
        self._waiting.append(Order(task, attempt, memory_gb))

    def wait(self, timeout: float) -> list[Outcome]:
        """Submit what waits, then look for outcomes until there are some or time is up.

        Raises
        ------
        SlurmError
            If the commands of Slurm have failed for long, a submission would always be refused, or
            jobs end again and again before they begin a task.
        """
        until = time.monotonic() + timeout
        while True:
            now = time.monotonic()
            found = self._collect(now) + self._sift()
            if not found:
                self._flush(now)
            is_idle = not (self._arrays or self._waiting or self._held)
            if found or is_idle or time.monotonic() >= until:
                return found
            time.sleep(min(_POLL_S, max(until - time.monotonic(), 0.0)))

    def workers(self) -> int:
        """Elements that run, those too that end after the task they are at."""
        return self._running + self._orphans.workers()

    def queued(self) -> int:
        """Elements that wait in the queue."""
        return self._queued

    def revive(self) -> str:
        """Nothing can be asked for twice: what waits, waits in the queue."""
        if not self._arrays:
            n_waiting = len(self._waiting) + len(self._held)
            return f"{n_waiting} tasks wait until Slurm takes them and former jobs have ended"
        jobs = ",".join(array.job for array in self._arrays)
        return f"{self._queued} elements wait in the queue; squeue --jobs={jobs} says why"

    def larger_gb(self, task: Task, had: float | None) -> float | None:
        """Next class of memory; a task alone in its job has at first what it asks for."""
        return next_gb(had or task.memory_gb, self._profile.memory_gb)

    def is_shared(self) -> bool:
        """Each task has the memory of its job."""
        return False

    def close(self) -> None:
        """Take back what has not ended; the next driver of the folder awaits its end."""
        self._pulse.stop()
        for array in self._arrays:
            try:
                slurm.cancel(array.job)
            except slurm.SlurmError as error:
                _log.warning("%s", error)
            release(array.folder.path)

    def _sift(self) -> list[Outcome]:
        """Keep back tasks whose former run may be under way; what came of those that were."""
        if self._orphans.is_unclear():
            return []
        orders, self._held = self._held, []
        fresh, self._waiting = self._waiting, []
        found = []
        for order in [*orders, *fresh]:
            if self._orphans.holds(order.task):
                self._held.append(order)
            elif (outcome := self._orphans.told(order.task)) is not None:
                found.append(outcome)
            else:
                self._waiting.append(order)
        return found

    def _flush(self, now: float) -> None:
        """Submit an array for each class of memory among the tasks that wait."""
        if self._orphans.is_unclear():
            return
        while self._waiting and self._submits.is_ready(now) and self._starts.is_ready(now):
            gb = min(order.gb for order in self._waiting)
            array = self._start([order for order in self._waiting if order.gb == gb], gb, now)
            if array is None:
                return
            self._arrays.append(array)
            self._waiting = [order for order in self._waiting if order.gb != gb]

    def _start(self, orders: list[Order], gb: float, now: float) -> _Array | None:
        """Submit an array; None where Slurm does not take it now."""
        size = -(-len(orders) // _ELEMENTS)
        elements = {k: orders[i : i + size] for k, i in enumerate(range(0, len(orders), size))}
        folder = ArrayFolder.make(self._home)
        for number, own in elements.items():
            folder.hand_over(number, own)
        words = [sys.executable, "-m", "chandelle.compute.slurm_array", self._folder, folder.path]
        script = slurm.job_script(self._profile, shlex.join(map(str, words)))
        log = str(folder.path / "%a.log")
        options = slurm.sbatch_options(
            self._profile, name=orders[0].task.stage, memory_gb=gb, log=log
        )
        array = f"--array=0-{len(elements) - 1}%{self._profile.jobs}"
        try:
            job = slurm.submit(script, [*options, array])
        except slurm.SlurmError as error:
            job = self._take_refusal(error, folder, now)
        if not job:
            return None
        self._submits.worked()
        folder.take(job)
        self._pulse.add(folder.path)
        _log.info("job %s: %d tasks in %d elements", job, len(orders), len(elements))
        return _Array(job, folder, elements, now)

    def _take_refusal(self, error: slurm.SlurmError, folder: ArrayFolder, now: float) -> str:
        """Let a submission be tried later, unless it never can be taken or nothing else goes on.

        Slurm may have taken the array all the same. If an element has started it is kept, and this
        is its number; else, without its folder, it has nothing to run.
        """
        folder.stop()
        if job := folder.job():
            folder.go_on()
            return job
        folder.remove()
        self._submits.failed(now)
        is_over = not self._arrays and self._submits.lasted(now) > _AWAY_S
        if is_over or _NEVER.search(str(error)):
            raise error
        _log.warning("%s; tried again in %.0f s", error, self._submits.ready - now)
        return ""

    def _collect(self, now: float) -> list[Outcome]:
        """Look for outcomes and for elements that ended without, unless that was done just now."""
        age = now - max((array.submitted for array in self._arrays), default=self._opened)
        if now - self._polled < min(max(_POLL_PART * age, _POLL_S), _LONGEST_POLL_S):
            return []
        self._polled, found = now, list[Outcome]()
        for array in self._arrays:
            found += _outcomes_of(array)
        if found:
            self._starts.worked()
        if self._arrays or self._orphans.is_any():
            self._orphans.judge()
            view = self._look(now)
            if view is not None:
                self._orphans.look(view)
                found += self._missing(view, now)
        for array in [array for array in self._arrays if not array.elements]:
            self._arrays.remove(array)
            self._pulse.drop(array.folder.path)
            array.folder.remove(but_logs=array.failed)
        if not found and self._starts.n_failed >= _EMPTY_ROUNDS and not self._is_at_work:
            raise slurm.SlurmError(
                f"{self._folder}: jobs ended before they began a task, {_EMPTY_ROUNDS} times in a "
                f"row, last {self._trouble}; see that the nodes see {sys.executable} and this "
                "folder, then give the same command again"
            )
        return found

    def _missing(self, view: View, now: float) -> list[Outcome]:
        """Tasks of elements that ended without saying what came of them."""
        alive: dict[str, set[int]] = {array.job: set() for array in self._arrays}
        states: Counter[str] = Counter()
        for job, number, state in view:
            if job in alive:
                alive[job].add(number)
                states[state] += 1
        self._running, self._queued = states["RUNNING"], states["PENDING"]
        found, at_work = [], False
        for array in self._arrays:
            for number in sorted(array.elements):
                is_alive = number in alive[array.job]
                if is_alive or now - array.gone.setdefault(number, now) < self._grace_s:
                    at_work = at_work or array.has_begun(number)
                else:
                    found += self._ended(array, number, now)
        self._is_at_work = at_work
        return found

    def _look(self, now: float) -> View | None:
        """Elements in the queue; None, and what was known holds on, where Slurm does not answer."""
        if not self._looks.is_ready(now):
            return None
        try:
            view = slurm.elements_left()
        except slurm.SlurmError as error:
            self._looks.failed(now)
            if self._looks.lasted(now) > _AWAY_S:
                raise
            _log.warning(
                "%s; the jobs run on, asked again in %.0f s", error, self._looks.ready - now
            )
            return None
        self._looks.worked()
        return view

    def _ended(self, array: _Array, number: int, now: float) -> list[Outcome]:
        """Tell of an element that is gone; what it had not begun is handed out again."""
        array.failed.add(number)
        log = array.folder.log(number)
        said = f"element {number} of job {array.job} ({log}; {array.folder.last_words(number)})"
        has_begun = array.has_begun(number)
        orders = array.elements.pop(number)
        if has_begun:
            self._starts.worked()
            self._waiting += orders[1:]
            return [self._lost(orders[0].task, said)]
        self._waiting += orders
        if number not in array.worked and self._starts.is_ready(now):
            self._starts.failed(now)
            self._trouble = said
            wait = self._starts.ready - now
            _log.warning("ended before it began a task: %s; tried again in %.0f s", said, wait)
        return []

    def _lost(self, task: Task, said: str) -> Outcome:
        """Say that a task died with its element, unless a receipt says what came of it."""
        receipt = Ledger(self._folder, task.stage).read(task.id)
        if receipt is None:
            error = f"ended without an outcome: {said}"
            return Outcome(id=task.id, reason="lost", error=error)
        how = {"reason": receipt.reason, "error": receipt.error, "wall_s": receipt.wall_s}
        return Outcome(id=task.id, **how)


def _outcomes_of(array: _Array) -> list[Outcome]:
    """Take the outcomes that have come as files."""
    found, array.names = [], array.folder.names()
    for number, orders in list(array.elements.items()):
        while orders and f"{orders[0].task.id}.outcome" in array.names:
            found.append(array.folder.outcome(orders.pop(0).task.id))
            array.worked.add(number)
        if not orders:
            del array.elements[number]
    return found


def run_element(folder: Path, array: ArrayFolder, number: int) -> None:
    """Run the tasks of one element, one after the other, each leaving its outcome."""
    array.start(number)
    for order in array.orders(number):
        if array.is_stopped():
            return
        array.begin(order.task)
        how = {"attempt": order.attempt, "memory_gb": order.memory_gb}
        array.tell(perform(order.task, folder, **how))


def main() -> None:
    """Run the element that Slurm names."""
    folder, array = map(Path, sys.argv[1:3])
    run_element(folder, ArrayFolder(array), int(os.environ["SLURM_ARRAY_TASK_ID"]))


if __name__ == "__main__":
    main()
