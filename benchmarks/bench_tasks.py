"""Cost of tasks for their driver: CPU and memory a task, finished ones subtracted on resume.

Run: python benchmarks/bench_tasks.py [tasks that are run] [tasks that were finished before]
(10000 and 100000; with 100000 tasks that are run it takes half an hour). The tasks do nothing. CPU
is that of the process which holds the driver, the client and the scheduler of dask; workers are
others. The peer is dask alone with the same workers and as many calls out at a time. Each section
is a process of its own.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from distributed import Client, as_completed

from chandelle.compute.clients import local_cluster
from chandelle.compute.drive import Driver
from chandelle.compute.engine import SerialEngine
from chandelle.compute.ledger import Ledger
from chandelle.compute.places import open_engine
from chandelle.compute.stage import Home
from chandelle.compute.task import Task
from chandelle.compute.usage import Usage
from chandelle.compute.work import receipt_of

_N, _N_FINISHED = 10_000, 100_000
_STAGE = "nothing"
_WORKERS = 2
_OVERHEAD_MS, _RESUME_S, _PLAN_S, _MEMORY_MB = 10.0, 20.0, 20.0, 300.0


class Marks:
    """CPU and memory of this process after each tenth of the tasks."""

    def __init__(self, n: int) -> None:
        self._step = max(n // 10, 1)
        self.cpu_s, self.memory_mb = [cpu_s()], [memory_mb()]

    def see(self, done: int) -> None:
        """Note both where another tenth is done."""
        if done >= len(self.cpu_s) * self._step:
            self.cpu_s.append(cpu_s())
            self.memory_mb.append(memory_mb())

    @property
    def ms(self) -> list[float]:
        """CPU a task in each tenth."""
        pairs = zip(self.cpu_s, self.cpu_s[1:], strict=False)
        return [1e3 * (after - before) / self._step for before, after in pairs]

    @property
    def text(self) -> str:
        """Median, first and last tenth."""
        ms, memory = self.ms, self.memory_mb
        return (
            f"{median(ms):6.2f} ms CPU a task (first tenth {ms[0]:.2f}, last {ms[-1]:.2f}); "
            f"{memory[0]:.0f} MB at first, {memory[1]:.0f} after a tenth, {memory[-1]:.0f} at last"
        )


def cpu_s() -> float:
    """CPU of this process so far."""
    used = os.times()
    return used.user + used.system


def memory_mb() -> float:
    """Resident memory of this process now."""
    return psutil.Process().memory_info().rss / 1e6


def task(number: int) -> Task:
    """Task that does nothing."""
    settings = {"number": number}
    key = f"k{number}"
    return Task(stage=_STAGE, key=key, call="noted_tasks:nothing", settings=settings)


def nothing(number: int) -> None:
    """Take no time, as a plain call."""


def drive(on: str, n: int, folder: Path) -> Marks:
    """Run tasks by the driver."""
    engine = open_engine(on, folder)
    try:
        warm = Driver(engine, folder, "warm")
        warm.run((task(-number) for number in range(1, 21)), total=20)
        marks = Marks(n)
        driver = Driver(engine, folder, _STAGE, report=lambda tally: marks.see(tally.done))
        tally = driver.run((task(number) for number in range(n)), total=n)
    finally:
        engine.close()
    if tally.done != n:
        raise SystemExit(f"on={on}: {tally.text}")
    return marks


def plain_dask(n: int, window: int) -> Marks:
    """Call the same by dask alone: each future replaced by another when it is done."""
    with local_cluster(_WORKERS) as cluster, Client(cluster) as client:
        client.gather(client.map(nothing, range(-20, 0), pure=False))
        marks = Marks(n)
        numbers = iter(range(n))
        first = [client.submit(nothing, number, pure=False) for number in islice(numbers, window)]
        out = as_completed(first)
        for done, future in enumerate(out, start=1):
            future.result()
            future.release()
            number = next(numbers, None)
            if number is not None:
                out.add(client.submit(nothing, number, pure=False))
            marks.see(done)
    return marks


def mapped_dask(n: int, _: int) -> Marks:
    """Call the same by `client.map`, all at once."""
    with local_cluster(_WORKERS) as cluster, Client(cluster) as client:
        client.gather(client.map(nothing, range(-20, 0), pure=False))
        marks = Marks(n)
        for number in range(0, n, n // 10):
            client.gather(client.map(nothing, range(number, number + n // 10), pure=False))
            marks.see(number + n // 10)
    return marks


def finish(folder: Path, n: int) -> None:
    """Leave the receipts and outputs of finished tasks, as workers do."""
    ledger = Ledger(folder, _STAGE)
    for number in range(n):
        one = with_output(number)
        path = ledger.path_of(one.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(receipt_of(one, Usage(), attempt=1).to_json())
        output = folder / one.outputs[0]
        output.parent.mkdir(parents=True, exist_ok=True)
        output.touch()


def with_output(number: int) -> Task:
    """Task with an output that must be there."""
    name = f"out/{number % 256:02x}/{number}.txt"
    return Task(
        stage=_STAGE,
        key=f"k{number}",
        call="noted_tasks:nothing",
        outputs=(name,),
        settings={"number": number},
    )


def resume(folder: Path, n: int) -> tuple[float, float, float]:
    """CPU [s], wall [s] and peak memory [MB] of a driver that finds all done."""
    cpu, wall = cpu_s(), time.perf_counter()
    driver = Driver(SerialEngine(folder), folder, _STAGE)
    tally = driver.run((with_output(number) for number in range(n)), total=n)
    if tally.skipped != n:
        raise SystemExit(f"of {n} finished tasks {tally.skipped} were found")
    return cpu_s() - cpu, time.perf_counter() - wall, peak_mb()


def gather(folder: Path, n: int) -> tuple[float, float, float]:
    """CPU [s], wall [s] and peak memory [MB] of gathering receipts into a manifest."""
    cpu, wall = cpu_s(), time.perf_counter()
    if Ledger(folder, _STAGE).compact(beyond=0) != n:
        raise SystemExit("not all receipts were gathered")
    return cpu_s() - cpu, time.perf_counter() - wall, peak_mb()


def plan(folder: Path, n: int) -> tuple[float, float, float]:
    """CPU [s], wall [s] and peak memory [MB] of what the next step asks of all finished tasks."""
    cpu, wall = cpu_s(), time.perf_counter()
    pairs = Home(folder).receipts_of(with_output(number) for number in range(n))
    if sum(receipt is not None for _, receipt in pairs) != n:
        raise SystemExit("not all receipts were found")
    return cpu_s() - cpu, time.perf_counter() - wall, peak_mb()


def peak_mb() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def apart(function: Callable, *values: Any) -> Any:
    """Call a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *values).result()


def overhead(n: int) -> None:
    """Print what a task costs its driver, and dask alone."""
    ours: dict[str, Marks] = {}
    for on in ("serial", f"local:{_WORKERS}"):
        with tempfile.TemporaryDirectory() as name:
            ours[on] = apart(drive, on, n, Path(name))
        print(f"{n} tasks, on={on:8} {ours[on].text}")
    own = ours[f"local:{_WORKERS}"]
    peers = {"window of 6": plain_dask, "client.map": mapped_dask}
    for what, function in peers.items():
        peer = apart(function, n, 3 * _WORKERS)
        ratio = median(own.ms) / median(peer.ms)
        print(f"{n} calls, dask alone, {what}: {peer.text}; ours over it {ratio:.2f}")
    print(f"overhead {median(own.ms):.2f} of {_OVERHEAD_MS:.0f} ms CPU a task")
    print(f"memory {max(own.memory_mb):.0f} of {_MEMORY_MB:.0f} MB")


def resumption(n: int) -> None:
    """Print what finding finished tasks takes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        apart(finish, folder, n)
        spent = {"from their files": apart(resume, folder, n)}
        spent["read for the next step"] = apart(plan, folder, n)
        spent["gathered into a manifest"] = apart(gather, folder, n)
        spent["from the manifest"] = apart(resume, folder, n)
        spent["read from the manifest"] = apart(plan, folder, n)
    for what, (cpu, wall, peak) in spent.items():
        print(f"{n} finished tasks, {what:24} {cpu:6.2f} CPU s, {wall:6.2f} s, {peak:.0f} MB peak")
    print(f"resume {spent['from their files'][0]:.1f} of {_RESUME_S:.0f} s CPU")
    print(f"plan of the next {spent['read from the manifest'][0]:.1f} of {_PLAN_S:.0f} s CPU")


def main() -> None:
    """Print all sections."""
    numbers = [int(word) for word in sys.argv[1:]]
    n, n_finished = [*numbers, *(_N, _N_FINISHED)[len(numbers) :]]
    here = Path(__file__).parent
    os.environ["PYTHONPATH"] = os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")])
    print(f"load average at the start {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    overhead(n)
    resumption(n_finished)


if __name__ == "__main__":
    main()
