"""Tasks on a real Slurm of this machine: arrays and dask, jobs that are taken away."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from local_slurm import slurm_site
from short_grace import open_engine
from slurm_marks import ON_SLURM
from small_tasks import (
    FAST,
    assert_stands_once,
    begun,
    drive,
    notes_of,
    task,
    wait_until,
)

from chandelle.compute.ledger import Ledger

pytestmark = ON_SLURM
SITE = {"memory_gb": [0.5, 1.0], "walltime_min": 3, "task_min": 1, "jobs": 4}


@pytest.fixture(scope="module")
def profile(tmp_path_factory) -> Iterator[Path]:
    with slurm_site(tmp_path_factory.mktemp("slurm"), **SITE) as (path, _):
        yield path


def outputs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


def small(number: int, call: str = "square", **changes):
    return task(number, call, memory_gb=0.4, **changes)


@pytest.mark.parametrize("kind", ["slurm", "slurm-array"])
def test_jobs_give_what_this_process_gives(profile, tmp_path, kind):
    tasks = [small(k) for k in range(10)]
    drive(tmp_path / "here", tasks)
    engine = open_engine(f"{kind}:{profile}", tmp_path / "there")
    try:
        assert drive(tmp_path / "there", tasks, engine=engine).done == 10
    finally:
        engine.close()
    assert outputs(tmp_path / "there") == outputs(tmp_path / "here")
    assert begun(tmp_path / "there") == 10


def cancel_in_a_write(folder: Path, tasks: list, cancelled: dict[str, str]) -> None:
    """Take back the job that runs the first task, while its output is half written."""
    wait_until(lambda: list((folder / "out").glob(".0.txt.*.tmp")), at_most_s=120.0)
    [(pid, _)] = notes_of(folder, tasks[0])
    environment = psutil.Process(pid).environ()
    array, element = (environment.get(f"SLURM_ARRAY_{name}_ID") for name in ("JOB", "TASK"))
    cancelled["job"] = f"{array}_{element}" if array else environment["SLURM_JOB_ID"]
    subprocess.run(["scancel", cancelled["job"]], check=True)
    wait_until(lambda: not psutil.pid_exists(pid))


@pytest.mark.parametrize("kind", ["slurm", "slurm-array"])
def test_a_job_that_is_cancelled_costs_a_run_and_no_task(profile, tmp_path, kind):
    tasks = [small(0, "hangs_once"), *(small(k, "slow_square") for k in range(1, 8))]
    engine = open_engine(f"{kind}:{profile}", tmp_path)
    cancelled: dict[str, str] = {}
    thread = threading.Thread(target=cancel_in_a_write, args=(tmp_path, tasks, cancelled))
    thread.start()
    try:
        tally = drive(tmp_path, tasks, engine=engine)
    finally:
        thread.join()
        engine.close()
    assert (tally.done, tally.lost, tally.failed) == (8, 1, {})
    receipt = Ledger(tmp_path, "squares").read(tasks[0].id)
    assert receipt.attempt == 2
    assert receipt.job != cancelled["job"]
    assert len(notes_of(tmp_path, tasks[0])) == 2
    assert_stands_once(tmp_path, tasks)


def test_a_task_that_always_kills_its_job_is_given_up_and_the_rest_done(profile, tmp_path):
    engine = open_engine(f"slurm-array:{profile}", tmp_path)
    poison, rest = small(9, "poison"), [small(k) for k in range(6)]
    try:
        tally = drive(tmp_path, [poison, *rest], FAST, engine=engine)
    finally:
        engine.close()
    assert (tally.done, tally.failed, tally.lost) == (6, {"lost": 1}, 3)
    assert len({pid for pid, _ in notes_of(tmp_path, poison)}) == 3
    assert Ledger(tmp_path, "squares").read(poison.id).reason == "lost"
    assert_stands_once(tmp_path, rest, given_up=(poison,))
