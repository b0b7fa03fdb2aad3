"""The chain of a survey whose driver is killed, and under two drivers: the fits are the same."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
from small_tasks import wait_until

import chandelle as ch
from chandelle.compute.ledger import Ledger
from chandelle.pipeline.verify import verify

HELPERS = Path(__file__).parents[1] / "helpers"
STEP = "fit-lightcurves"


def receipts(survey: Path) -> list[Path]:
    return list(Ledger(survey, STEP).folder.glob("??/*.json"))


def assert_as_undisturbed(survey: Path, expected: bytes) -> None:
    """The fits bit for bit; each block once, with one receipt; nothing else lies about."""
    fits = survey / "saltfits"
    assert (fits / "fits.parquet").read_bytes() == expected
    names = [f"{k:06d}.parquet" for k in range(4)]
    assert sorted(path.name for path in (fits / "blocks").iterdir()) == names
    assert {path.name for path in fits.iterdir()} <= {"fits.parquet", "blocks", "arranged"}
    assert len(receipts(survey)) == 4
    assert verify(survey).broken == ()
    assert not list(survey.rglob("driver-*.json"))


def test_a_driver_that_is_killed_is_followed_by_the_same_call(survey, expected):
    command = [sys.executable, str(HELPERS / "run_chain.py"), str(survey), "local:2"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        wait_until(lambda: receipts(survey), at_most_s=240.0)
        workers = psutil.Process(driver.pid).children(recursive=True)
        driver.send_signal(signal.SIGKILL)
    assert driver.returncode == -signal.SIGKILL
    assert not (survey / "saltfits" / "fits.parquet").exists(), "killed before the end"
    assert len(workers) >= 2
    wait_until(lambda: not any(worker.is_running() for worker in workers))
    before = len(receipts(survey))
    tallies = ch.run(survey, on="local:2", until=STEP).tallies
    assert (tallies[STEP].skipped, tallies[STEP].done) == (before, 4 - before)
    assert_as_undisturbed(survey, expected)


def test_two_drivers_at_once_do_no_harm(survey, expected):
    command = [sys.executable, str(HELPERS / "run_chain.py"), str(survey), "serial"]
    how = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    drivers = [subprocess.Popen(command, **how) for _ in range(2)]
    logs = [driver.communicate(timeout=400)[1] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], logs
    # Whichever step they meet in.
    seen = [f": another driver is at work here (process {one.pid}" for one in drivers]
    assert seen[0] in logs[1] or seen[1] in logs[0]
    assert_as_undisturbed(survey, expected)
