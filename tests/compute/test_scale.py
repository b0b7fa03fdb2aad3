"""Cost of tasks for their driver, in small: a task's overhead, resume, memory of gathering."""

import os
import subprocess
import sys
from pathlib import Path

import gather_memory
import pytest
from bench_tasks import finish, with_output

from chandelle.compute.drive import Driver
from chandelle.compute.engine import SerialEngine
from chandelle.compute.ledger import Ledger
from chandelle.compute.places import open_engine
from chandelle.compute.stage import Home
from chandelle.compute.task import Task

N = 3000
"""The benchmark asks 20 s for 100 000 finished tasks, as much for a plan that reads their receipts,
and 10 ms a task; here twice as much, as types are checked at run time.
"""
RESUME_S, PLAN_S, OVERHEAD_S = 2 * 20.0 * N / 100_000, 2 * 20.0 * N / 100_000, 2 * 10e-3


def cpu_s() -> float:
    used = os.times()
    return used.user + used.system


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Receipts and outputs of finished tasks."""
    folder = tmp_path_factory.mktemp("finished")
    finish(folder, N)
    return folder


def resumed(folder: Path) -> float:
    """CPU of a driver that finds all done."""
    before = cpu_s()
    driver = Driver(SerialEngine(folder), folder, "nothing")
    tally = driver.run(map(with_output, range(N)), total=N)
    assert (tally.skipped, tally.done) == (N, 0)
    return cpu_s() - before


def planned(folder: Path) -> float:
    """CPU of a step that is planned from the receipts of all."""
    before = cpu_s()
    pairs = Home(folder).receipts_of(map(with_output, range(N)))
    assert all(receipt is not None and receipt.id == task.id for task, receipt in pairs)
    return cpu_s() - before


def test_finished_tasks_are_found_in_time(finished):
    assert resumed(finished) < RESUME_S
    assert planned(finished) < PLAN_S


def test_gathering_holds_one_folder_at_a_time_and_loses_nothing(finished, tmp_path):
    finish(tmp_path, 10)
    ledger = Ledger(finished, "nothing")
    before = {receipt.id: receipt for receipt in ledger.receipts()}
    script = Path(gather_memory.__file__)
    command = [sys.executable, str(script), str(finished), "nothing", str(tmp_path)]
    held, peak = map(int, subprocess.check_output(command, text=True).split())
    assert peak < held / 2
    assert not list(ledger.folder.rglob("*.json"))
    assert {receipt.id: receipt for receipt in ledger.receipts()} == before
    assert resumed(finished) < RESUME_S
    assert planned(finished) < PLAN_S
    some = [with_output(number) for number in range(0, N, 301)]
    assert [ledger.read(task.id).key for task in some] == [task.key for task in some]
    ledger.forget([task.id for task in some])
    assert not any(ledger.read(task.id) for task in some)
    assert len(ledger.entries()) == N - len(some)


def test_a_task_costs_the_driver_little(tmp_path):
    def nothing(task: Task, folder: Path) -> None:
        """Take no time."""

    engine = open_engine("local:2", tmp_path, functions={"nowhere:nothing": nothing})
    plan = [Task(stage="a", key=f"k{k}", call="nowhere:nothing") for k in range(330)]
    try:
        Driver(engine, tmp_path, "a").run(plan[:30], total=30)
        before = cpu_s()
        tally = Driver(engine, tmp_path, "a").run(plan, total=330)
        used = cpu_s() - before
    finally:
        engine.close()
    assert (tally.done, tally.skipped) == (300, 30)
    assert used / 300 < OVERHEAD_S
