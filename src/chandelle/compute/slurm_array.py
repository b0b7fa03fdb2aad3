"""Tasks as arrays of Slurm jobs, without dask: for sites where dask is not to submit jobs.

Tasks that are out at the same time go into one array; an element runs some of them one after the
other and leaves the outcome of each as a small file. An element that ended without one died in the
first task it had begun: that one is lost, those behind it are handed out again.
"""

import json
import logging
import os
import shlex
import shutil
import sys
import time
import uuid
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from chandelle.compute import slurm
from chandelle.compute.engine import perform
from chandelle.compute.ledger import ARRAYS
from chandelle.compute.profile import Profile
from chandelle.compute.resources import next_gb
from chandelle.compute.task import Task
from chandelle.compute.work import Outcome
from chandelle.core.atomic import atomic_file

_log = logging.getLogger(__name__)
_ELEMENTS = 1000
"""Elements of an array at most: what sites allow."""
_MOST_TASKS = 10
"""Tasks of an element at most, where its walltime holds them."""
_POLL_S, _POLL_PART, _LONGEST_POLL_S = 1.0, 0.01, 30.0
"""Between two looks: a hundredth of the age of the newest array, within these."""
_GRACE_S = 5.0
"""How long the files of an element may come after its end, on a file system of the network."""


@dataclass(slots=True)
class _Order:
    task: Task
    attempt: int
    memory_gb: float | None

    @property
    def gb(self) -> float:
        return self.memory_gb or self.task.memory_gb


@dataclass(slots=True)
class _Array:
    """One array: the orders of each element, when it was submitted, when an element was first seen
    gone, and whether all went well so far.
    """

    job: str
    folder: Path
    elements: dict[int, list[_Order]]
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
        self._waiting: list[_Order] = []
        self._arrays: list[_Array] = []
        self._running, self._queued, self._polled = 0, 0, 0.0

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
        self._waiting.append(_Order(task, attempt, memory_gb))

    def wait(self, timeout: float) -> list[Outcome]:
        """Submit what waits, then look for outcomes until there are some or time is up."""
        until = time.monotonic() + timeout
        while True:
            self._flush()
            found = self._collect()
            if found or not self._arrays or time.monotonic() >= until:
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

    def _flush(self) -> None:
        """Submit an array for each class of memory among the tasks that wait."""
        waiting, self._waiting = self._waiting, []
        for gb in sorted({order.gb for order in waiting}):
            self._start([order for order in waiting if order.gb == gb], gb)

    def _start(self, orders: list[_Order], gb: float) -> None:
        size = -(-len(orders) // _ELEMENTS)
        elements = {k: orders[i : i + size] for k, i in enumerate(range(0, len(orders), size))}
        folder = self._home / uuid.uuid4().hex
        folder.mkdir(parents=True)
        for number, own in elements.items():
            lines = [json.dumps([o.attempt, o.memory_gb, o.task.to_json()]) for o in own]
            with atomic_file(folder / f"{number}.tasks") as temporary:
                temporary.write_text("\n".join(lines), encoding="utf-8")
        words = [sys.executable, "-m", "chandelle.compute.slurm_array", self._folder, folder]
        script = slurm.job_script(self._profile, shlex.join(map(str, words)))
        log = str(folder / "%a.log")
        options = slurm.sbatch_options(
            self._profile, name=orders[0].task.stage, memory_gb=gb, log=log
        )
        array = f"--array=0-{len(elements) - 1}%{self._profile.jobs}"
        job = slurm.submit(script, [*options, array])
        _log.info("job %s: %d tasks in %d elements", job, len(orders), len(elements))
        self._arrays.append(_Array(job, folder, elements, time.monotonic()))

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
                shutil.rmtree(array.folder, ignore_errors=True)
        return found

    def _missing(self, now: float) -> list[Outcome]:
        """Tasks of elements that ended without saying what came of them."""
        left = slurm.elements_left()
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

    def _lost(self, array: _Array, number: int) -> list[Outcome]:
        """Tell of an element that is gone; tasks behind the one it died in are handed out again."""
        array.is_clean = False
        first, *behind = array.elements.pop(number)
        has_begun = (array.folder / f"{first.task.id}.begun").exists()
        self._waiting += behind if has_begun else []
        log = array.folder / f"{number}.log"
        error = f"element {number} of job {array.job} ended without an outcome, see {log}"
        dead = [first] if has_begun else [first, *behind]
        return [Outcome(id=order.task.id, reason="lost", error=error) for order in dead]


def _outcomes_of(array: _Array) -> list[Outcome]:
    """Take the outcomes that have come as files."""
    found = []
    for number, orders in list(array.elements.items()):
        while orders:
            path = array.folder / f"{orders[0].task.id}.outcome"
            if not path.exists():
                break
            found.append(Outcome(**json.loads(path.read_text(encoding="utf-8"))))
            orders.pop(0)
        if not orders:
            del array.elements[number]
    return found


def run_element(folder: Path, array: Path, number: int) -> None:
    """Run the tasks of one element, one after the other, each leaving its outcome."""
    for line in (array / f"{number}.tasks").read_text(encoding="utf-8").splitlines():
        attempt, memory_gb, text = json.loads(line)
        task = Task.from_json(text)
        (array / f"{task.id}.begun").touch()
        outcome = perform(task, folder, attempt=attempt, memory_gb=memory_gb)
        with atomic_file(array / f"{task.id}.outcome") as temporary:
            temporary.write_text(json.dumps(asdict(outcome)), encoding="utf-8")


def main() -> None:
    """Run the element that Slurm names."""
    run_element(Path(sys.argv[1]), Path(sys.argv[2]), int(os.environ["SLURM_ARRAY_TASK_ID"]))


if __name__ == "__main__":
    main()
