"""Tasks as arrays of Slurm jobs, without dask: for sites where dask is not to submit jobs.

Tasks that are out at the same time go into one array; an element runs some of them one after the
other and leaves the outcome of each as a small file. An element that ended without one died in the
first task it had begun: that one is lost, those behind it are handed out again.
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
from chandelle.compute.engine import perform
from chandelle.compute.ledger import ARRAYS
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
_GRACE_S = 5.0
"""How long the files of an element may come after its end, on a file system of the network."""
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
    """One array: the orders of each element, when it was submitted, when an element was first seen
    gone, and whether all went well so far.
    """

    job: str
    folder: ArrayFolder
    elements: dict[int, list[Order]]
    submitted: float
    gone: dict[int, float] = field(default_factory=dict)
    is_clean: bool = True


class SlurmArrayEngine:
    """Tasks as elements of job arrays.

    Parameters
    ----------
    profile : Profile
        What the site wants to know.
    folder : Path
        Folder of the run, which the nodes see under the same name.
    """

    def __init__(self, profile: Profile, folder: Path) -> None:
        self._profile, self._folder = profile, folder.absolute()
        self._home = self._folder / "receipts" / ARRAYS
        held = int(profile.walltime_min / profile.task_min)
        self._window = _ELEMENTS * min(held, _MOST_TASKS)
        self._waiting: list[Order] = []
        self._arrays: list[_Array] = []
        self._running, self._queued, self._polled = 0, 0, 0.0
        self._submits, self._looks = Patience(10.0, 300.0), Patience(_POLL_S, 60.0)

    def window(self) -> int:
        """As many as an array holds; no more before half of them are done, so that arrays are few.

        Slurm runs as many at a time as the profile says.
        """
        is_filling = bool(self._waiting) or self._n_out() <= self._window // 2
        return self._window if is_filling else 0

    def _n_out(self) -> int:
        return sum(len(orders) for array in self._arrays for orders in array.elements.values())

    def submit(self, task: Task, *, attempt: int, memory_gb: float | None = None) -> None:
        """Keep a task for the next array."""
        self._waiting.append(Order(task, attempt, memory_gb))

    def wait(self, timeout: float) -> list[Outcome]:
        """Submit what waits, then look for outcomes until there are some or time is up.

        Raises
        ------
        SlurmError
            If the commands of Slurm have failed for long, or a submission would always be refused.
        """
        until = time.monotonic() + timeout
        while True:
            self._flush(time.monotonic())
            found = self._collect()
            is_idle = not self._arrays and not self._waiting
            if found or is_idle or time.monotonic() >= until:
                return found
            time.sleep(min(_POLL_S, max(until - time.monotonic(), 0.0)))

    def workers(self) -> int:
        """Elements that run."""
        return self._running

    def queued(self) -> int:
        """Elements that wait in the queue."""
        return self._queued

    def revive(self) -> str:
        """Nothing can be asked for twice: what waits, waits in the queue."""
        if not self._arrays:
            return f"{len(self._waiting)} tasks wait until sbatch takes them"
        jobs = ",".join(array.job for array in self._arrays)
        return f"{self._queued} elements wait in the queue; squeue --jobs={jobs} says why"

    def larger_gb(self, task: Task, had: float | None) -> float | None:
        """Next class of memory; a task alone in its job has at first what it asks for."""
        return next_gb(had or task.memory_gb, self._profile.memory_gb)

    def is_shared(self) -> bool:
        """Each task has the memory of its job."""
        return False

    def close(self) -> None:
        """Take back what has not ended."""
        for array in self._arrays:
            try:
                slurm.cancel(array.job)
            except slurm.SlurmError as error:
                _log.warning("%s", error)

    def _flush(self, now: float) -> None:
        """Submit an array for each class of memory among the tasks that wait."""
        while self._waiting and self._submits.is_ready(now):
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
            self._take_refusal(error, folder, now)
            return None
        self._submits.worked()
        _log.info("job %s: %d tasks in %d elements", job, len(orders), len(elements))
        return _Array(job, folder, elements, now)

    def _take_refusal(self, error: slurm.SlurmError, folder: ArrayFolder, now: float) -> None:
        """Let a submission be tried later, unless it never can be taken or nothing else goes on.

        Without its folder an array that was taken all the same has nothing to run.
        """
        folder.remove()
        self._submits.failed(now)
        is_over = not self._arrays and self._submits.lasted(now) > _AWAY_S
        if is_over or _NEVER.search(str(error)):
            raise error
        _log.warning("%s; tried again in %.0f s", error, self._submits.ready - now)

    def _collect(self) -> list[Outcome]:
        """Look for outcomes and for elements that ended without, unless that was done just now."""
        now, found = time.monotonic(), list[Outcome]()
        age = now - max((array.submitted for array in self._arrays), default=now)
        if now - self._polled < min(max(_POLL_PART * age, _POLL_S), _LONGEST_POLL_S):
            return []
        self._polled = now
        for array in self._arrays:
            found += _outcomes_of(array)
        if self._arrays:
            found += self._missing(now)
        for array in [array for array in self._arrays if not array.elements]:
            self._arrays.remove(array)
            if array.is_clean:
                array.folder.remove()
        return found

    def _missing(self, now: float) -> list[Outcome]:
        """Tasks of elements that ended without saying what came of them."""
        left = self._look(now)
        if left is None:
            return []
        alive: dict[str, set[int]] = {array.job: set() for array in self._arrays}
        states: Counter[str] = Counter()
        for job, number, state in left:
            if job in alive:
                alive[job].add(number)
                states[state] += 1
        self._running, self._queued = states["RUNNING"], states["PENDING"]
        lost = []
        for array in self._arrays:
            for number in sorted(array.elements.keys() - alive[array.job]):
                if now - array.gone.setdefault(number, now) >= _GRACE_S:
                    lost += self._lost(array, number)
        return lost

    def _look(self, now: float) -> list[tuple[str, int, str]] | None:
        """Elements in the queue; None, and what was known holds on, where Slurm does not answer."""
        if not self._looks.is_ready(now):
            return None
        try:
            left = slurm.elements_left()
        except slurm.SlurmError as error:
            self._looks.failed(now)
            if self._looks.lasted(now) > _AWAY_S:
                raise
            _log.warning(
                "%s; the jobs run on, asked again in %.0f s", error, self._looks.ready - now
            )
            return None
        self._looks.worked()
        return left

    def _lost(self, array: _Array, number: int) -> list[Outcome]:
        """Tell of an element that is gone; tasks behind the one it died in are handed out again."""
        array.is_clean = False
        first, *behind = array.elements.pop(number)
        has_begun = f"{first.task.id}.begun" in array.folder.names()
        self._waiting += behind if has_begun else []
        log = array.folder.log(number)
        error = f"element {number} of job {array.job} ended without an outcome, see {log}"
        dead = [first] if has_begun else [first, *behind]
        return [Outcome(id=order.task.id, reason="lost", error=error) for order in dead]


def _outcomes_of(array: _Array) -> list[Outcome]:
    """Take the outcomes that have come as files."""
    found, names = [], array.folder.names()
    for number, orders in list(array.elements.items()):
        while orders and f"{orders[0].task.id}.outcome" in names:
            found.append(array.folder.outcome(orders.pop(0).task.id))
        if not orders:
            del array.elements[number]
    return found


def run_element(folder: Path, array: ArrayFolder, number: int) -> None:
    """Run the tasks of one element, one after the other, each leaving its outcome."""
    array.start(number)
    for order in array.orders(number):
        array.begin(order.task)
        how = {"attempt": order.attempt, "memory_gb": order.memory_gb}
        array.tell(perform(order.task, folder, **how))


def main() -> None:
    """Run the element that Slurm names."""
    folder, array = map(Path, sys.argv[1:3])
    run_element(folder, ArrayFolder(array), int(os.environ["SLURM_ARRAY_TASK_ID"]))


if __name__ == "__main__":
    main()
