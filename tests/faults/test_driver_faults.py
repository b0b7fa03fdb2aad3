"""Faults of drivers and disks: the run goes on, to the results of one that met none."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from small_tasks import begun, drive, task

from chandelle.compute.drive import PlaceError
from chandelle.compute.ledger import Ledger

HELPERS = Path(__file__).parents[1] / "helpers"
N = 12


def start_driver(folder: Path, call: str) -> subprocess.Popen:
    command = [sys.executable, str(HELPERS / "run_driver.py"), str(folder), str(N), call]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def files(folder: Path) -> dict[str, bytes]:
    """All that stands among the outputs, temporary files too."""
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


def wait_for_receipts(folder: Path, count: int) -> None:
    until = time.monotonic() + 60.0
    while len(list((folder / "receipts").glob("squares/??/*.json"))) < count:
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    drive(folder, [task(k, "fifth_square") for k in range(N)])
    return files(folder)


def test_a_driver_that_is_killed_is_followed_by_another(tmp_path, undisturbed):
    driver = start_driver(tmp_path, "fifth_square")
    wait_for_receipts(tmp_path, 3)
    while not list((tmp_path / "out").glob(".*.tmp")):
        time.sleep(0.005)
    driver.send_signal(signal.SIGKILL)
    assert driver.wait() == -signal.SIGKILL
    driver.stdout.close()
    assert list((tmp_path / "out").glob(".*.tmp")), "killed in the middle of a write"
    tally = drive(tmp_path, [task(k, "fifth_square") for k in range(N)])
    assert tally.skipped >= 3
    assert tally.done + tally.skipped == N
    assert files(tmp_path) == undisturbed
    assert begun(tmp_path) <= N + 1


def test_two_drivers_at_once_do_no_harm(tmp_path, undisturbed):
    drivers = [start_driver(tmp_path, "fifth_square") for _ in range(2)]
    said = [driver.communicate(timeout=120)[0].split() for driver in drivers]
    assert all(int(done) + int(skipped) == N for done, skipped, _ in said)
    assert all(failed == "0" for *_, failed in said)
    assert files(tmp_path) == undisturbed
    assert len(list(Ledger(tmp_path, "squares").receipts())) == N


def test_an_end_in_the_middle_of_a_write_leaves_nothing_half(tmp_path):
    tally = drive(tmp_path, [task(5, "stopped_once", is_isolated=True)])
    assert (tally.done, tally.lost) == (1, 1)
    assert files(tmp_path) == {"5.txt": b"25"}


def test_clocks_that_are_off_do_not_count(tmp_path):
    tasks = [task(k) for k in range(4)]
    drive(tmp_path, tasks)
    for k, path in enumerate((tmp_path / "receipts").rglob("*.json")):
        year = 1999 if k % 2 else 2077
        moment = datetime(year, 1, 1, tzinfo=UTC).timestamp()
        os.utime(path, (moment, moment))
        path.write_text(path.read_text().replace('"20', f'"{year}T20'))
    assert drive(tmp_path, tasks).skipped == 4
    assert begun(tmp_path) == 4


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A small file system in memory, as root on Linux."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", options, "chandelle-test", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts are those of Linux")
def test_a_full_disk_ends_the_run_and_the_same_call_goes_on(tmp_path):
    tasks = [task(k, "fills") for k in range(N)]
    with mounted(tmp_path / "disk", "size=96k"):
        with pytest.raises(PlaceError, match=r"No space left.*tasks are left: make room"):
            drive(tmp_path / "disk", tasks)
        before = len(list(Ledger(tmp_path / "disk", "squares").receipts()))
        assert 0 < before < N
        subprocess.run(["mount", "-o", "remount,size=1m", str(tmp_path / "disk")], check=True)
        tally = drive(tmp_path / "disk", tasks)
        assert (tally.skipped, tally.done) == (before, N - before)
        assert {len(content) for content in files(tmp_path / "disk").values()} == {10_000}
        assert len(files(tmp_path / "disk")) == N


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts are those of Linux")
def test_a_read_only_folder_is_named_and_no_task_is_given_up(tmp_path):
    tasks = [task(k, "fills") for k in range(3)]
    with mounted(tmp_path / "disk", "size=1m"):
        drive(tmp_path / "disk", tasks[:1])
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path / "disk")], check=True)
        with pytest.raises(PlaceError, match=r"Read-only file system.*2 of 3 tasks are left"):
            drive(tmp_path / "disk", tasks)
        subprocess.run(["mount", "-o", "remount,rw", str(tmp_path / "disk")], check=True)
        assert drive(tmp_path / "disk", tasks).done == 2
