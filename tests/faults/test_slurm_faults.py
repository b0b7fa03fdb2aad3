"""Jobs of a real Slurm that are too short for the work, or too small for a task."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_slurm import slurm_site, write_profile
from short_grace import open_engine
from slurm_marks import ON_SLURM
from small_tasks import assert_stands_once, begun, drive, notes_of, task

from chandelle.compute.drive import Policy
from chandelle.compute.ledger import ARRAYS, Ledger

pytestmark = ON_SLURM
SITE = {"memory_gb": [0.5, 1.5], "task_min": 0.5}
POLICY = Policy(backoff_s=0.01, memory_gb=(0.5, 1.5))
SMALL = [task(k, memory_gb=0.5) for k in range(4)]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> Iterator[Path]:
    with slurm_site(tmp_path_factory.mktemp("slurm")) as (_, folder):
        yield folder


@pytest.fixture
def on_array(slurm, tmp_path) -> Iterator:
    """Arrays of jobs that last one minute."""
    path = write_profile(tmp_path / "array.toml", **SITE, walltime_min=1, jobs=4)
    engine = open_engine(f"slurm-array:{path}", tmp_path)
    yield engine
    engine.close()


def said_by_jobs(folder: Path) -> str:
    logs = (folder / "receipts" / ARRAYS).rglob("*.log")
    return "\n".join(path.read_text() for path in logs)


def test_work_longer_than_the_life_of_a_job_is_done_by_several(slurm, tmp_path, monkeypatch):
    monkeypatch.setenv("CHANDELLE_CACHE", str(tmp_path / "cache"))
    site = {**SITE, "walltime_min": 3, "task_min": 1.25, "jobs": 1}
    path = write_profile(tmp_path / "one.toml", **site)
    # Begins before the job is old, after 30 s, and ends later than dask would wait for it.
    long = task(9, "lasting", memory_gb=0.5, settings={"last_s": 80.0})
    folder = tmp_path / "run"
    engine = open_engine(f"slurm:{path}", folder)
    try:
        tally = drive(folder, [long, *SMALL], POLICY, engine=engine)
        said = "\n".join(log.read_text() for log in (tmp_path / "cache").rglob("*.log"))
    finally:
        engine.close()
    assert (tally.done, tally.failed, tally.lost, tally.retried) == (5, {}, 0, 0)
    assert begun(folder) == 2 + len(SMALL), "none was begun twice; the long one notes it twice"
    assert said.count("no more tasks are taken, what runs is ended") == 1
    assert said.count("the job is old and nothing runs: it ends") == 1
    receipts = list(Ledger(folder, "squares").receipts())
    first = Ledger(folder, "squares").read(long.id).job
    assert {r.job for r in receipts if r.key != long.key}.isdisjoint({first})
    states = ["squeue", "--noheader", "--states=all", f"--jobs={first}", "--format=%T"]
    assert subprocess.check_output(states, text=True).strip() == "COMPLETED"
    assert_stands_once(folder, [long, *SMALL])


def test_a_task_that_hangs_beyond_the_walltime_is_done_by_the_next_job(on_array, tmp_path):
    hangs = task(9, "hangs_once", memory_gb=0.5)
    tally = drive(tmp_path, [hangs, *SMALL], POLICY, engine=on_array)
    assert (tally.done, tally.lost, tally.failed) == (5, 1, {})
    assert "DUE TO TIME LIMIT" in said_by_jobs(tmp_path)
    (_, first), (_, second) = notes_of(tmp_path, hangs)
    assert (second - first) / 1e9 > 60.0
    assert Ledger(tmp_path, "squares").read(hangs.id).attempt == 2
    assert_stands_once(tmp_path, [hangs, *SMALL])


def test_a_worker_whose_job_ends_under_its_task_costs_a_run(slurm, tmp_path, monkeypatch):
    monkeypatch.setenv("CHANDELLE_CACHE", str(tmp_path / "cache"))
    path = write_profile(tmp_path / "dask.toml", **SITE, walltime_min=1, jobs=2)
    hangs, folder = task(9, "hangs_once", memory_gb=0.5), tmp_path / "run"
    engine = open_engine(f"slurm:{path}", folder)
    try:
        tally = drive(folder, [hangs, *SMALL], POLICY, engine=engine)
    finally:
        engine.close()
    assert (tally.done, tally.lost, tally.failed) == (5, 1, {})
    said = "\n".join(log.read_text() for log in (tmp_path / "cache").rglob("*.log"))
    assert "DUE TO TIME LIMIT" in said
    assert len(notes_of(folder, hangs)) == 2
    assert_stands_once(folder, [hangs, *SMALL])


def test_a_task_over_the_memory_of_its_job_gets_a_larger_one(on_array, slurm, tmp_path):
    fits = task(7, "greedy", memory_gb=0.5, settings={"take_gb": 1.0, "hold_s": 12.0})
    never = task(8, "greedy", memory_gb=0.5, settings={"take_gb": 2.2, "hold_s": 30.0})
    tally = drive(tmp_path, [fits, never, *SMALL], POLICY, engine=on_array)
    assert (tally.done, tally.failed, tally.lost) == (5, {"lost": 1}, 5)
    logs = "\n".join(path.read_text() for path in (slurm / "log").glob("slurmd-*.log"))
    assert logs.count("exceeded memory limit") >= 5
    assert [len(notes_of(tmp_path, one)) for one in (fits, never)] == [3, 3]
    assert Ledger(tmp_path, "squares").read(fits.id).peak_gb > 1.0
    assert_stands_once(tmp_path, [fits, *SMALL], given_up=(never,))
