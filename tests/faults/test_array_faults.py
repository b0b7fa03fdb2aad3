"""A driver of arrays of jobs on a real Slurm that is killed, and what the next one does."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_slurm import slurm_site
from run_array_driver import holding
from short_grace import open_engine
from slurm_marks import ON_SLURM
from small_tasks import assert_stands_once, begun, drive, notes_of, receipt_files, wait_until

from chandelle.compute import slurm
from chandelle.compute.ledger import ARRAYS, Ledger

pytestmark = ON_SLURM
HELPERS = Path(__file__).parents[1] / "helpers"
N, ELEMENTS, HOLD_S = 9, 3, 8.0
SITE = {"memory_gb": [0.5, 1.0], "walltime_min": 10, "task_min": 1, "jobs": 2}


@pytest.fixture(scope="module")
def profile(tmp_path_factory) -> Iterator[Path]:
    with slurm_site(tmp_path_factory.mktemp("slurm"), **SITE) as (path, _):
        yield path


def start_driver(profile: Path, folder: Path) -> subprocess.Popen:
    words = [HELPERS / "run_array_driver.py", profile, folder, N, ELEMENTS, HOLD_S]
    search = os.pathsep.join([str(HELPERS), *filter(None, sys.path)])
    environment = os.environ | {"PYTHONPATH": search}
    return subprocess.Popen([sys.executable, *map(str, words)], env=environment)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_dead_driver_left_running_is_finished_and_not_begun_twice(profile, tmp_path, end):
    tasks, arrays = holding(N, HOLD_S), tmp_path / "receipts" / ARRAYS
    first = start_driver(profile, tmp_path)
    wait_until(lambda: len(receipt_files(tmp_path)) >= 2, at_most_s=120.0)
    wait_until(lambda: begun(tmp_path) >= 4)
    first.send_signal(end)
    assert first.wait() == -end
    [folder] = arrays.iterdir()
    left = slurm.elements_left()
    job = (folder / "job").read_text()
    assert {name for name, _, _ in left} == {job}
    assert {state for _, _, state in left} == {"PENDING", "RUNNING"}
    under_way = [one for one in tasks if notes_of(tmp_path, one)]
    assert len(under_way) < N
    engine = open_engine(f"slurm-array:{profile}", tmp_path)
    try:
        tally = drive(tmp_path, tasks, engine=engine)
    finally:
        engine.close()
    assert (tally.done + tally.skipped, tally.lost, tally.failed) == (N, 0, {})
    assert tally.skipped >= 2
    assert [len(notes_of(tmp_path, one)) for one in tasks] == [1] * N
    ledger = Ledger(tmp_path, "squares")
    assert all(ledger.read(one.id).attempt == 1 for one in under_way)
    assert_stands_once(tmp_path, tasks)
    assert list(arrays.iterdir()) == []
    assert slurm.elements_left() == []
