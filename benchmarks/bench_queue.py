"""10 000 tasks of 10 minutes on 1000 workers, 1 % of runs lost: the real driver, simulated time.

Run: python benchmarks/bench_queue.py [number of tasks] [number of workers]
Printed for each course, as medians over seeds: useful time over the time that jobs were there,
those without work for a minute given back, as `slurm:` does; the same with all jobs kept to the
end; useful time over workers times makespan; and the ceiling of the last, which is that of the same
runs where no job waits, the driver takes no time and what was lost is tried again at once. A loss
in the last round costs up to another round however little is waited for, so that ceiling is below
one: with ten rounds it is near ten elevenths.
"""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from statistics import median

from queue_simulation import (
    Place,
    greedy_makespan,
    random_births,
    random_fates,
    simulate,
)

from chandelle.compute.receipt import Reason

_N, _WORKERS, _SEEDS = 10_000, 1000, 5
_ASKED = 0.95
_LOST: Mapping[Reason, float] = {"lost": 0.01}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is simulated.

    Parameters
    ----------
    faults : mapping
        Parts of the runs that end in a reason.
    wall_s, spread : float
        Mean time of a task, and its relative scatter.
    queue_s, start_s : float
        Mean wait of a job in the queue, and from its start to its first task.
    driver_s : float
        Time of the driver a task: that of `bench_tasks.py`, rounded up.
    """

    faults: Mapping[Reason, float] = field(default_factory=lambda: _LOST)
    wall_s: float = 600.0
    spread: float = 0.1
    queue_s: float = 60.0
    start_s: float = 20.0
    driver_s: float = 3e-3


def course(case: Case, n_task: int, workers: int, seed: int) -> tuple[float, float, float, float]:
    """Efficiencies of one seed: workers given back, kept; by makespan, its ceiling."""
    fates = random_fates(seed, wall_s=case.wall_s, spread=case.spread, faults=case.faults)
    place = Place(
        workers=workers,
        births=random_births(seed, queue_s=case.queue_s, start_s=case.start_s),
        gap_s=0.05,
        notice_s=1.0,
        submit_s=case.driver_s / 2,
        take_s=case.driver_s / 2,
        idle_s=60.0,
    )
    with tempfile.TemporaryDirectory() as name:
        given_back = simulate(place, fates, n_task, Path(name) / "given-back")
        kept = simulate(replace(place, idle_s=inf), fates, n_task, Path(name) / "kept")
    ceiling_s = greedy_makespan(workers, fates, n_task)
    whole_s = given_back.useful_s / workers
    return (
        given_back.efficiency,
        kept.efficiency,
        whole_s / given_back.makespan_s,
        whole_s / ceiling_s,
    )


def main() -> None:
    """Print each case."""
    numbers = [int(word) for word in sys.argv[1:]]
    n_task, workers = [*numbers, *(_N, _WORKERS)[len(numbers) :]]
    cases = {
        "as asked": Case(),
        "no failures": Case(faults={}),
        "driver 10 ms a task": Case(driver_s=10e-3),
        "jobs wait 10 minutes": Case(queue_s=600.0),
        "times scatter by half": Case(spread=0.5),
        "5 % lost": Case(faults={"lost": 0.05}),
        "1 % need more memory": Case(faults=_LOST | {"memory": 0.01}),
        "20 % away": Case(faults=_LOST | {"transient": 0.2}),
    }
    print(f"{n_task} tasks on {workers} workers, medians of {_SEEDS} seeds")
    print(f"{'':22} given back    kept  by makespan  its ceiling")
    efficiency = {}
    for name, case in cases.items():
        courses = [course(case, n_task, workers, seed) for seed in range(_SEEDS)]
        medians = [median(values) for values in zip(*courses, strict=True)]
        efficiency[name] = medians[0]
        given_back, kept, makespan, ceiling = medians
        print(f"{name:22} {given_back:10.3f} {kept:7.3f} {makespan:12.3f} {ceiling:12.3f}")
    print(f"efficiency {efficiency['as asked']:.3f} of {_ASKED} at least")


if __name__ == "__main__":
    main()
