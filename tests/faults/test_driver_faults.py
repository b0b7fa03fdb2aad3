"""Faults of drivers and disks: the run goes on, to the results of one that met none."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_tasks import (
    assert_stands_once,
    begun,
    drive,
    files,
    notes_of,
    receipt_files,
    task,
    wait_until,
)

from chandelle.compute.drive import PlaceError
from chandelle.compute.ledger import Ledger
from chandelle.pipeline.verify import verify

HELPERS = Path(__file__).parents[1] / "helpers"
N = 12
TASKS = [task(k, "fifth_square") for k in range(N)]
YEAR_S = 365.0 * 86400.0


def start_driver(folder: Path, call: str, clock_off_s: float = 0.0) -> subprocess.Popen:
    command = [sys.executable, str(HELPERS / "run_driver.py"), str(folder), str(N), call]
    command += [str(clock_off_s)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_in_a_write(driver: subprocess.Popen, folder: Path) -> None:
    """Kill a driver that has some tasks behind it, while it writes an output."""
    wait_until(lambda: len(receipt_files(folder)) >= 3)
    wait_until(lambda: list((folder / "out").glob(".*.tmp")))
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    assert driver.returncode == -signal.SIGKILL
    assert list((folder / "out").glob(".*.tmp")), "killed in the middle of a write"


def test_squares_are_those_of_a_run_that_nothing_disturbs(tmp_path):
    drive(tmp_path, TASKS)
    assert_stands_once(tmp_path, TASKS)


def test_a_driver_that_is_killed_is_followed_by_another(tmp_path, caplog):
    driver = start_driver(tmp_path, "fifth_square")
    kill_in_a_write(driver, tmp_path)
    assert list(Ledger(tmp_path, "squares").folder.glob(f"driver-*-{driver.pid}.json"))
    tally = drive(tmp_path, TASKS)
    assert tally.skipped >= 3
    assert tally.done + tally.skipped == N
    assert begun(tmp_path) <= N + 1
    assert_stands_once(tmp_path, TASKS)
    assert "another driver" not in caplog.text, "a dead one is none"
    assert not list(Ledger(tmp_path, "squares").folder.glob("driver-*"))


def test_two_drivers_at_once_do_no_harm(tmp_path):
    first = start_driver(tmp_path, "fifth_square")
    wait_until(lambda: begun(tmp_path) if (tmp_path / "notes").is_dir() else 0)
    second = start_driver(tmp_path, "fifth_square")
    warned = []
    for driver in (first, second):
        said, log = driver.communicate(timeout=120)
        done, skipped, failed = said.split()
        assert (int(done) + int(skipped), failed) == (N, "0")
        warned.append("another driver is at work here" in log)
    assert warned == [False, True]
    pids = {pid for one in TASKS for pid, _ in notes_of(tmp_path, one)}
    assert pids == {first.pid, second.pid}
    assert_stands_once(tmp_path, TASKS)


def test_an_end_in_the_middle_of_a_write_leaves_nothing_half(tmp_path):
    stopped = task(5, "stopped_once", is_isolated=True)
    tally = drive(tmp_path, [stopped])
    assert (tally.done, tally.lost) == (1, 1)
    assert len(notes_of(tmp_path, stopped)) == 2
    assert_stands_once(tmp_path, [stopped])


def test_clocks_that_are_off_do_not_count(tmp_path):
    kill_in_a_write(start_driver(tmp_path, "fifth_square", YEAR_S), tmp_path)
    driver = start_driver(tmp_path, "fifth_square", -YEAR_S)
    done, skipped, failed = map(int, driver.communicate(timeout=120)[0].split())
    assert (done + skipped, failed) == (N, 0)
    assert skipped >= 3
    assert drive(tmp_path, TASKS).skipped == N
    years = [int(found.started[:4]) for found in Ledger(tmp_path, "squares").receipts()]
    assert max(years) - min(years) == 2
    for path in receipt_files(tmp_path):
        os.utime(path, (YEAR_S, YEAR_S))
    assert drive(tmp_path, TASKS).skipped == N
    assert begun(tmp_path) <= N + 1
    assert_stands_once(tmp_path, TASKS)


def test_two_drivers_with_other_settings_leave_no_receipt_that_lies(tmp_path):
    old, new = (task(0, settings={"version": version}) for version in (1, 2))
    outputs = Path("out/0.txt")
    drive(tmp_path, [new])
    held = Ledger(tmp_path, "squares").path_of(new.id)
    kept = held.read_bytes()
    drive(tmp_path, [old])
    assert not held.exists()
    held.parent.mkdir(exist_ok=True)
    held.write_bytes(kept)  # the driver of the old settings was slower than that of the new ones
    (tmp_path / outputs).write_text("old")
    assert drive(tmp_path, [new]).done == 1
    assert drive(tmp_path, [new]).skipped == 1
    assert_stands_once(tmp_path, [new])


def test_a_receipt_cut_in_half_does_not_count(tmp_path, caplog):
    drive(tmp_path, TASKS[:3])
    path = Ledger(tmp_path, "squares").path_of(TASKS[1].id)
    path.write_text(path.read_text()[: path.stat().st_size // 2])
    tally = drive(tmp_path, TASKS[:3])
    assert (tally.done, tally.skipped) == (1, 2)
    assert "not a whole receipt" in caplog.text
    assert [len(notes_of(tmp_path, one)) for one in TASKS[:3]] == [1, 2, 1]
    assert_stands_once(tmp_path, TASKS[:3])


def test_an_output_cut_off_under_its_receipt_is_found(tmp_path):
    drive(tmp_path, TASKS)
    cut = tmp_path / "out" / "11.txt"
    cut.write_bytes(cut.read_bytes()[:1])
    assert drive(tmp_path, TASKS).skipped == N
    [broken] = verify(tmp_path, forget=True).broken
    assert (broken.key, broken.found) == ("k11", "has 1 bytes, its task wrote 3")
    assert drive(tmp_path, TASKS).done == 1
    assert verify(tmp_path).broken == ()
    assert_stands_once(tmp_path, TASKS)


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A small file system in memory, as root on Linux."""
    if not sys.platform.startswith("linux"):
        pytest.skip("mounts are those of Linux")
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", options, "chandelle-test", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        refused = f"no file system can be mounted here: {done.stderr.strip()}"
        (pytest.fail if os.environ.get("CHANDELLE_REQUIRE_MOUNTS") else pytest.skip)(refused)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def test_a_full_disk_ends_the_run_and_the_same_call_goes_on(tmp_path):
    tasks = [task(k, "fills") for k in range(N)]
    with mounted(tmp_path / "disk", "size=96k") as disk:
        with pytest.raises(PlaceError, match=r"No space left.*tasks are left: make room"):
            drive(disk, tasks)
        before = len(receipt_files(disk))
        assert 0 < before < N
        remount(disk, "size=1m")
        tally = drive(disk, tasks)
        assert (tally.skipped, tally.done) == (before, N - before)
        assert files(disk) == {f"{k}.txt": b"x" * 10_000 for k in range(N)}
        assert len(receipt_files(disk)) == N


def test_a_read_only_folder_is_named_and_no_task_is_given_up(tmp_path):
    with mounted(tmp_path / "disk", "size=1m") as disk:
        drive(disk, TASKS[:1])
        remount(disk, "ro")
        with pytest.raises(PlaceError, match=r"Read-only file system.*2 of 3 tasks are left"):
            drive(disk, TASKS[:3])
        assert drive(disk, TASKS[:1]).skipped == 1
        remount(disk, "rw")
        assert drive(disk, TASKS[:3]).done == 2
        assert_stands_once(disk, TASKS[:3])


def test_a_disk_that_becomes_read_only_when_the_driver_writes(tmp_path):
    with mounted(tmp_path / "disk", "size=1m") as disk:
        lost, losses = task(7, "dies", is_isolated=True), []

        def report(tally):
            if tally.lost == 2 and not losses:
                losses.append(tally.lost)
                remount(disk, "ro")

        tasks = [*TASKS[:2], lost]
        with pytest.raises(PlaceError, match=r"Read-only file system.*1 of 3 tasks are left"):
            drive(disk, tasks, report=report)
        assert losses == [2]
        remount(disk, "rw")
        tally = drive(disk, tasks)
        assert (tally.skipped, tally.lost, tally.failed) == (2, 3, {"lost": 1})
        assert_stands_once(disk, TASKS[:2], given_up=(lost,))
