"""Tasks on a real Slurm of this machine: arrays and dask, jobs that are taken away."""

import subprocess
import threading
import time
from pathlib import Path

import pytest
from local_slurm import LocalSlurm, why_not
from small_tasks import FAST, begun, drive, task

from chandelle.compute.places import open_engine

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "there is Slurm"),
]
PROFILE = """
kind = "slurm"
partition = "htc"
interface = "lo"
memory_gb = [0.5, 1.0]
walltime_min = 3
task_min = 1
jobs = 4
"""


@pytest.fixture(scope="module")
def profile(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("slurm")
    slurm = LocalSlurm(folder / "run")
    slurm.start()
    path = folder / "local.toml"
    path.write_text(PROFILE)
    yield path
    slurm.stop()


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


@pytest.mark.parametrize("kind", ["slurm", "slurm-array"])
def test_a_job_that_is_cancelled_costs_a_run_and_no_task(profile, tmp_path, kind):
    tasks = [small(k, "slow_square") for k in range(8)]
    engine = open_engine(f"{kind}:{profile}", tmp_path)
    cancelled: list[str] = []

    def cancel_one() -> None:
        until = time.monotonic() + 60.0
        while time.monotonic() < until and not (tmp_path / "notes").is_dir():
            time.sleep(0.1)
        running = ["squeue", "-h", "-r", "-t", "R", "-o", "%i"]
        cancelled.append(subprocess.check_output(running, text=True).split()[0])
        subprocess.run(["scancel", cancelled[0]], check=True)

    thread = threading.Thread(target=cancel_one)
    thread.start()
    try:
        tally = drive(tmp_path, tasks, engine=engine)
    finally:
        thread.join()
        engine.close()
    assert cancelled
    assert (tally.done, tally.failed) == (8, {})
    assert tally.lost >= 1
    assert len(outputs(tmp_path)) == 8


def test_a_task_that_always_kills_its_job_is_given_up_and_the_rest_done(profile, tmp_path):
    engine = open_engine(f"slurm-array:{profile}", tmp_path)
    tasks = [small(9, "poison"), *(small(k) for k in range(6))]
    try:
        tally = drive(tmp_path, tasks, FAST, engine=engine)
    finally:
        engine.close()
    assert (tally.done, tally.failed, tally.lost) == (6, {"lost": 1}, 3)
