"""200 tasks of a second on a real Slurm of this machine, 5 % of them failing in several ways.

Run: python benchmarks/bench_slurm.py [number of tasks]
As root, with Debian's slurmctld, slurmd, slurm-client and munge; elsewhere it says why not. Jobs of
dask workers (slurm:) and arrays without dask (slurm-array:). Of the failing tasks some meet an
archive that is away, some kill their worker, some their whole job, some find bad data. Then the
simulated queue of `queue_simulation` runs the same tasks, with the times, failures and starts of
workers as they were, and is held against what happened.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
from queue_simulation import Course, Fate, Place, random_fates, simulate
from slurm_here import slurm_site, why_not

from chandelle.compute.drive import Driver, Policy
from chandelle.compute.ledger import Ledger
from chandelle.compute.places import open_engine
from chandelle.compute.receipt import Reason
from chandelle.compute.slurm_array import GRACE_S
from chandelle.compute.tally import Tally
from chandelle.compute.task import Task

_N, _JOBS = 200, 4
_STAGE = "noted"
_TOLERANCE = 1.1
"""Of simulated over real wall: pauses between tasks enter by their median, and for arrays they are
half of the time; three turns at loads of 4 to 10 were within 1.03.
"""
_FAULTS = {"transient": 0.015, "worker": 0.01, "job": 0.01, "data": 0.015}
_REASONS: dict[str, Reason] = {
    "": "",
    "transient": "transient",
    "worker": "lost",
    "job": "lost",
    "data": "data",
}
_SITE = {"memory_gb": [0.6, 0.9], "walltime_min": 20, "task_min": 1, "jobs": _JOBS}
_POLICY = Policy(memory_gb=(0.6, 0.9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of a task noted.

    Parameters
    ----------
    number : int
        Of the task.
    job : str
        Number of the batch job.
    worker : int
        Its process.
    process, began, ended : float
        When the process started, and the run began and ended [s].
    fault : str
        What it was told to do wrong.
    """

    number: int
    job: str
    worker: int
    process: float
    began: float
    ended: float
    fault: str

    @property
    def wall_s(self) -> float:
        """How long it took."""
        return self.ended - self.began

    @property
    def is_death(self) -> bool:
        """Whether its worker died of it."""
        return _REASONS[self.fault] == "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A whole run of the driver: its tally, start and end [s], CPU [s], and runs in order."""

    tally: Tally
    began: float
    ended: float
    cpu_s: float
    runs: list[Run]

    @property
    def wall_s(self) -> float:
        """How long it took."""
        return self.ended - self.began

    @property
    def useful_s(self) -> float:
        """Time in runs that went well."""
        return sum(run.wall_s for run in self.runs if not run.fault)


def plan(n: int, seed: int = 4) -> list[Task]:
    """Tasks of a second, a twentieth of them with a fault."""
    random = np.random.default_rng(seed)
    faults = [fault for fault, part in _FAULTS.items() for _ in range(round(part * n))]
    where = dict(zip(random.choice(n, len(faults), replace=False).tolist(), faults, strict=True))
    return [
        Task(
            stage=_STAGE,
            key=f"k{number}",
            call="noted_tasks:noted",
            outputs=(f"out/{number}.txt",),
            settings={
                "number": number,
                "wall_s": round(float(random.uniform(0.7, 1.3)), 3),
                "fault": where.get(number, ""),
                "until": round(float(random.uniform(0.1, 0.9)), 3),
            },
            memory_gb=0.35,
        )
        for number in range(n)
    ]


def cpu_s() -> float:
    """CPU of this process and of the commands it has called."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def work(on: str, tasks: Sequence[Task], folder: Path) -> Work:
    """Run the tasks."""
    cpu = cpu_s()
    engine = open_engine(on, folder)
    began = time.time()
    try:
        tally = Driver(engine, folder, _STAGE, policy=_POLICY).run(tasks, total=len(tasks))
        ended, used = time.time(), cpu_s() - cpu
    finally:
        engine.close()
    runs = [Run(**json.loads(path.read_text())) for path in (folder / "notes").glob("*.json")]
    runs.sort(key=lambda run: run.began)
    return Work(tally=tally, began=began, ended=ended, cpu_s=used, runs=runs)


def check(done: Work, tasks: Sequence[Task], folder: Path) -> None:
    """End the benchmark unless every task came to what it had to, once."""
    bad = {task.settings["number"] for task in tasks if task.settings["fault"] == "data"}
    good = {task.settings["number"] for task in tasks} - bad
    outputs = {path.name: path.read_text() for path in (folder / "out").iterdir()}
    receipts = list(Ledger(folder, _STAGE).receipts())
    deaths = sum(run.is_death for run in done.runs)
    well = [run.number for run in done.runs if not run.fault]
    facts = {
        "done": done.tally.done == len(good),
        "dead letters": done.tally.failed == {"data": len(bad)},
        "outputs": outputs == {f"{number}.txt": str(number**2) for number in good},
        "receipts": sorted(r.key for r in receipts) == sorted(task.key for task in tasks),
        "every death was told": done.tally.lost >= deaths > 0,
        "no good run twice": sorted(well) == sorted(good),
    }
    if not all(facts.values()):
        raise SystemExit(f"not as it had to be: {facts}, {done.tally}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """What the runs say of the workers.

    Parameters
    ----------
    first_s : list of float
        From the start of the driver to the first task of each of the first workers.
    replaced_s : list of float
        From each death to the first task of the worker that came for the dead one.
    gap_s : float
        Median between two tasks of a worker.
    """

    first_s: list[float]
    replaced_s: list[float]
    gap_s: float


def dask_slots(done: Work) -> Slots:
    """Of workers that take one task after the other."""
    own: dict[int, list[Run]] = {}
    for run in done.runs:
        own.setdefault(run.worker, []).append(run)
    births = sorted(runs[0].began for runs in own.values())
    deaths = sorted(run.ended for run in done.runs if run.is_death)
    pairs = [pair for runs in own.values() for pair in pairwise(runs)]
    return Slots(
        first_s=[birth - done.began for birth in births[:_JOBS]],
        replaced_s=[birth - death for birth, death in zip(births[_JOBS:], deaths, strict=False)],
        gap_s=median(after.began - before.ended for before, after in pairs),
    )


def array_slots(done: Work) -> Slots:
    """Of places in which an element, a process of its own, follows the one that ended first."""
    ends = sorted(run.ended for run in done.runs)
    gaps = [run.began - end for run, end in zip(done.runs[_JOBS:], ends, strict=False)]
    first = [run.began - done.began for run in done.runs[:_JOBS]]
    return Slots(first_s=first, replaced_s=[median(gaps)], gap_s=median(gaps))


def modeled(done: Work, slots: Slots, notice_s: float) -> Place:
    """Place with the workers that were there."""
    replaced_s = median(slots.replaced_s)

    def birth(number: int) -> tuple[float, float]:
        known = [*slots.first_s, *slots.replaced_s]
        return 0.0, known[number] if number < len(known) else replaced_s

    each_s = done.cpu_s / done.tally.total
    return Place(
        workers=_JOBS,
        births=birth,
        gap_s=slots.gap_s,
        notice_s=notice_s,
        submit_s=each_s / 2,
        take_s=each_s / 2,
    )


def replay(place: Place, done: Work, folder: Path) -> Course:
    """Run the simulated queue over the same runs."""
    runs: dict[int, list[Run]] = {}
    for run in done.runs:
        runs.setdefault(run.number, []).append(run)

    def fate(number: int, attempt: int) -> Fate:
        if attempt > len(runs[number]):
            return Fate(wall_s=0.0)
        run = runs[number][attempt - 1]
        return Fate(wall_s=run.wall_s, reason=_REASONS[run.fault])

    return simulate(place, fate, len(runs), folder, policy=_POLICY)


def foretell(place: Place, done: Work, folder: Path) -> list[float]:
    """Walls of the simulated queue that is told no more than means, for some seeds [s]."""
    whole = np.array([run.wall_s for run in done.runs if not run.fault])
    faults: dict[Reason, float] = {}
    for fault, part in _FAULTS.items():
        faults[_REASONS[fault]] = faults.get(_REASONS[fault], 0.0) + part
    shape = {"wall_s": whole.mean(), "spread": whole.std() / whole.mean(), "faults": faults}
    return [
        simulate(
            place,
            random_fates(seed, **shape),
            done.tally.total,
            folder / str(seed),
            policy=_POLICY,
        ).makespan_s
        for seed in range(20)
    ]


def report(on: str, done: Work, slots: Slots) -> None:
    """Print what happened."""
    tally, n_run = done.tally, len(done.runs)
    faults = ", ".join(
        f"{sum(run.fault == fault for run in done.runs)} {fault}" for fault in _FAULTS
    )
    print(f"on={on}: {tally.text}; lost {tally.lost}; {n_run} runs, of them failed: {faults}")
    print(
        f"  {done.wall_s:.1f} s; first task after {min(slots.first_s):.1f} to "
        f"{max(slots.first_s):.1f} s, {slots.gap_s:.2f} s between tasks, another worker after "
        f"{median(slots.replaced_s):.1f} s; driver {1e3 * done.cpu_s / tally.total:.0f} ms CPU a "
        "task, commands of Slurm and start included"
    )


def compare(done: Work, course: Course, foretold: list[float]) -> None:
    """Print what the simulation says of it."""
    wall, model = done.wall_s, course.makespan_s
    busy, model_busy = done.useful_s / wall / _JOBS, course.useful_s / model / _JOBS
    print(
        f"  wall {wall:.1f} s, simulated {model:.1f} s ({model / wall:.3f}); useful part of "
        f"{_JOBS} workers {busy:.3f}, simulated {model_busy:.3f} ({model_busy / busy:.3f})"
    )
    print(
        f"  told no more than means, 20 seeds: {np.mean(foretold):.1f} +- {np.std(foretold):.1f} s "
        f"({np.mean(foretold) / wall:.3f})"
    )
    if not 1 / _TOLERANCE < model / wall < _TOLERANCE:
        raise SystemExit(f"the simulated queue is off by more than a factor of {_TOLERANCE}")


def main() -> None:
    """Run the tasks by dask and by arrays."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else _N
    if why_not():
        print(f"nothing measured: {why_not()}")
        return
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    print(f"load average at the start {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    tasks = plan(n)
    with (
        tempfile.TemporaryDirectory() as name,
        slurm_site(Path(name) / "slurm", cpus=_JOBS // 2, **_SITE) as (profile, _),
    ):
        for kind, slots_of, notice_s in (
            ("slurm", dask_slots, 0.0),
            ("slurm-array", array_slots, GRACE_S + 1.0),
        ):
            folder = Path(name) / kind
            done = work(f"{kind}:{profile}", tasks, folder)
            check(done, tasks, folder)
            slots = slots_of(done)
            report(kind, done, slots)
            place, model = modeled(done, slots, notice_s), Path(name) / "model" / kind
            compare(done, replay(place, done, model), foretell(place, done, model))


if __name__ == "__main__":
    main()
