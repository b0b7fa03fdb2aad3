"""Workers of dask that are killed, by the system, by their task or for its memory."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import psutil
import pytest
from distributed import Client, LocalCluster
from small_tasks import FAST, assert_stands_once, begun, drive, notes_of, task, wait_until

from chandelle.compute.clients import settings
from chandelle.compute.dask_engine import SchedulerGoneError
from chandelle.compute.drive import Policy
from chandelle.compute.ledger import Ledger
from chandelle.compute.places import open_engine
from chandelle.compute.preload import DRAIN_AT
from chandelle.compute.watchdog import NoWorkersError

SMALL = [task(k) for k in range(6)]


@pytest.fixture
def client():
    """Two workers that may take 0.4 GB each, as those of `local_cluster` else."""
    with (
        settings(),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            memory_limit="400MB",
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
        ) as cluster,
        Client(cluster, set_as_default=False) as made,
    ):
        yield made


def kill_in_a_write(folder: Path, killed: list[int]) -> None:
    """Kill the worker that runs the first task while the output is half written."""
    wait_until(lambda: list((folder / "out").glob(".0.txt.*.tmp")))
    [(pid, _)] = notes_of(folder, task(0, "hangs_once"))
    os.kill(pid, signal.SIGKILL)
    killed.append(pid)


def test_a_worker_that_is_killed_costs_a_run_and_no_task(tmp_path):
    tasks = [task(0, "hangs_once"), *(task(k, "fifth_square") for k in range(1, 8))]
    killed: list[int] = []
    thread = threading.Thread(target=kill_in_a_write, args=(tmp_path, killed))
    thread.start()
    engine = open_engine("local:2", tmp_path)
    try:
        tally = drive(tmp_path, tasks, engine=engine)
    finally:
        engine.close()
        thread.join()
    assert (tally.done, tally.lost, tally.failed) == (8, 1, {})
    first, second = (pid for pid, _ in notes_of(tmp_path, tasks[0]))
    assert first == killed[0] != second
    assert Ledger(tmp_path, "squares").read(tasks[0].id).attempt == 2
    assert_stands_once(tmp_path, tasks)


def test_a_task_that_always_kills_its_worker_is_given_up_and_the_rest_done(client, tmp_path):
    poison = task(9, "poison")
    tally = drive(tmp_path, [poison, *SMALL], engine=open_engine(client, tmp_path))
    assert (tally.done, tally.failed) == (6, {"lost": 1})
    assert len({pid for pid, _ in notes_of(tmp_path, poison)}) == tally.lost == 3
    receipt = Ledger(tmp_path, "squares").read(poison.id)
    assert (receipt.reason, receipt.attempt) == ("lost", 3)
    assert "its worker died" in receipt.error
    assert_stands_once(tmp_path, SMALL, given_up=(poison,))


def test_a_task_over_the_memory_of_its_worker_is_given_up_and_the_rest_done(client, tmp_path):
    greedy = task(7, "greedy", settings={"take_gb": 0.6, "hold_s": 20.0})
    before = set(client.run(os.getpid).values())
    tally = drive(tmp_path, [greedy, *SMALL], engine=open_engine(client, tmp_path))
    assert (tally.done, tally.failed) == (6, {"lost": 1})
    ended = {pid for pid, _ in notes_of(tmp_path, greedy)}
    assert len(ended) == tally.lost == 3
    assert ended & before
    assert not any(psutil.pid_exists(pid) for pid in ended)
    assert_stands_once(tmp_path, SMALL, given_up=(greedy,))


def test_a_task_over_its_memory_in_its_own_process_costs_no_worker(client, tmp_path):
    how = {"is_isolated": True, "memory_gb": 0.3}
    fits = task(1, "greedy", settings={"take_gb": 0.32, "hold_s": 1.0}, **how)
    never = task(2, "greedy", settings={"take_gb": 1.2, "hold_s": 1.0}, **how)
    rest = [task(k) for k in range(3, 6)]
    before = set(client.run(os.getpid).values())
    engine = open_engine(client, tmp_path)
    tally = drive(tmp_path, [fits, never, *rest], FAST, engine=engine)
    assert (tally.done, tally.failed, tally.lost) == (4, {"memory": 1}, 0)
    assert [len(notes_of(tmp_path, one)) for one in (fits, never)] == [2, 3]
    ledger = Ledger(tmp_path, "squares")
    assert ledger.read(fits.id).attempt == 2
    assert "GB, may take 1 GB" in ledger.read(never.id).error
    assert set(client.run(os.getpid).values()) == before
    assert_stands_once(tmp_path, [fits, *rest], given_up=(never,))


def test_a_worker_whose_memory_stays_full_begins_anew(tmp_path):
    keeps = task(7, "keeps", settings={"take_gb": 0.92 * 0.6})
    with (
        settings(),
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            memory_limit="600MB",
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
            preload=["chandelle.compute.preload"],
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        before = client.run(os.getpid)
        tally = drive(tmp_path, [keeps, *SMALL], engine=open_engine(client, tmp_path))
        assert (tally.done, tally.lost, tally.failed) == (7, 0, {})
        after = client.run(os.getpid)
    assert len(after) == 1
    assert set(before.values()).isdisjoint(after.values())
    pids = {pid for one in SMALL for pid, _ in notes_of(tmp_path, one)}
    assert set(after.values()) <= pids
    assert_stands_once(tmp_path, [keeps, *SMALL])


def test_workers_that_take_no_task_do_not_count(tmp_path, caplog):
    # A client of one's own: its workers do not begin anew by themselves.
    keeps = task(7, "keeps", settings={"take_gb": 0.92 * 0.6})
    policy = Policy(backoff_s=0.01, report_s=2.0, give_up_s=4.0)
    with (
        settings(),
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            memory_limit="600MB",
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
        pytest.raises(NoWorkersError, match="no worker for"),
    ):
        drive(tmp_path, [keeps, *SMALL], policy, engine=open_engine(client, tmp_path))
    assert "the memory of 1 is full, they take no task" in caplog.text


def test_a_scheduler_that_dies_ends_the_run_and_the_same_call_goes_on(tmp_path):
    folder = tmp_path / "run"
    tasks = [task(k, "slow_square") for k in range(4)]
    words = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"]
    words += ["--port", "0", "--no-dashboard", "--scheduler-file", str(tmp_path / "scheduler")]
    with (
        subprocess.Popen(words, stderr=subprocess.DEVNULL) as scheduler,
        contextlib.ExitStack() as stack,
    ):
        wait_until((tmp_path / "scheduler").exists)
        address = json.loads((tmp_path / "scheduler").read_text())["address"]
        stack.enter_context(job(address, tmp_path / "worker.log", 600.0))
        with dask.config.set({"distributed.comm.timeouts.connect": "4s"}):
            engine = open_engine(address, folder)

        def kill(tally) -> None:
            if tally.done == 1:
                scheduler.kill()

        with pytest.raises(SchedulerGoneError, match=rf"{address} is gone.*the same command"):
            drive(folder, tasks, report=kill, engine=engine)
        engine.close()
    assert not any(receipt.reason for receipt in Ledger(folder, "squares").receipts())
    tally = drive(folder, tasks)
    assert tally.skipped >= 1
    assert tally.done + tally.skipped == 4
    assert_stands_once(folder, tasks)


@contextlib.contextmanager
def job(address: str, log: Path, life_s: float) -> Iterator[subprocess.Popen]:
    """Run a worker as a job of Slurm does, of that life."""
    words = ["-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
    words += ["--preload", "chandelle.compute.preload"]
    paths = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {DRAIN_AT: str(time.time() + life_s), "PYTHONPATH": paths}
    with (
        log.open("w") as file,
        subprocess.Popen([sys.executable, *words], env=environment, stderr=file) as process,
    ):
        yield process
        if process.poll() is None:
            process.terminate()


@pytest.mark.slow
def test_a_worker_whose_job_is_old_ends_its_task_and_takes_no_other(tmp_path):
    # More than the 30 s that dask gives a thread when it closes a worker.
    tasks = [task(0, "lasting", settings={"last_s": 45.0}), *SMALL[1:]]
    folder, log = tmp_path / "run", tmp_path / "first.log"
    with (
        settings(),
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", silence_logs=50) as cluster,
        Client(cluster, set_as_default=False) as client,
        job(cluster.scheduler_address, log, 15.0) as first,
        contextlib.ExitStack() as stack,
    ):

        def follow() -> None:
            wait_until(lambda: "no more tasks are taken" in log.read_text())
            stack.enter_context(job(cluster.scheduler_address, tmp_path / "second.log", 600.0))

        client.wait_for_workers(1)
        thread = threading.Thread(target=follow)
        thread.start()
        tally = drive(folder, tasks, engine=open_engine(client, folder))
        thread.join()
        assert first.wait(timeout=30.0) == 0
    assert (tally.done, tally.lost, tally.retried, begun(folder)) == (6, 0, 0, 7)
    assert "nothing runs: it ends" in log.read_text()
    old = notes_of(folder, tasks[0])[0][0]
    assert old not in {pid for one in tasks[1:] for pid, _ in notes_of(folder, one)}
    assert Ledger(folder, "squares").read(tasks[0].id).wall_s > 40.0
    assert_stands_once(folder, tasks)
