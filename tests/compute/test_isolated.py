"""A process for one task: nothing of it outlives its parent, or itself."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from small_tasks import notes_of, task, wait_until

import chandelle as ch
from chandelle.compute.array_folder import ArrayFolder
from chandelle.compute.drive import Policy
from chandelle.compute.isolated import run_isolated
from chandelle.compute.slurm_array import run_element
from chandelle.core.errors import InputError

DRIVER = """
import os, subprocess, sys, time
from pathlib import Path
from small_tasks import drive, task
from chandelle.compute.places import open_engine

def lasting(task, folder):
    held = subprocess.Popen(["sleep", "120"])
    (folder / "new").write_text(f"{os.getpid()} {held.pid}")
    (folder / "new").rename(folder / "pids")
    time.sleep(120)

if __name__ == "__main__":
    folder, one = Path(sys.argv[2]), task(0, is_isolated=True)
    drive(folder, [one], engine=open_engine(sys.argv[1], folder, functions={one.call: lasting}))
"""


def is_alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("on", ["serial", "local:1"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["term", "kill"])
def test_the_end_of_the_driver_ends_its_tasks_and_their_children(tmp_path, on, how):
    (tmp_path / "driver.py").write_text(DRIVER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, tmp_path / "driver.py", on, tmp_path]
    driver = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    wait_until((tmp_path / "pids").is_file, at_most_s=120.0)
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    assert all(map(is_alive, pids))
    driver.send_signal(how)
    assert driver.wait(60) == -how
    wait_until(lambda: not any(map(is_alive, pids)))


def test_what_a_task_started_ends_with_it(tmp_path):
    def leaving(task, folder):
        held = subprocess.Popen(["sleep", "120"])
        (folder / "left").write_text(f"{held.pid}")
        (folder / "out").mkdir()
        (folder / task.outputs[0]).write_bytes(os.read(0, 1))

    assert run_isolated(task(0), tmp_path, function=leaving).is_done
    left = int((tmp_path / "left").read_text())
    wait_until(lambda: not is_alive(left))
    assert (tmp_path / "out" / "0.txt").read_bytes() == b"", "nothing comes by standard input"


def test_over_its_memory_it_ends_with_what_it_started(tmp_path):
    def greedy(task, folder):
        held = subprocess.Popen(["sleep", "120"])
        (folder / "left").write_text(f"{held.pid}")
        taken = b"1" * int(0.5e9)
        time.sleep(120)
        del taken

    outcome = run_isolated(task(0), tmp_path, memory_gb=0.3, function=greedy)
    assert outcome.reason == "memory"
    left = int((tmp_path / "left").read_text())
    wait_until(lambda: not is_alive(left))


def test_an_interrupt_ends_it(tmp_path, monkeypatch):
    def lasting(task, folder):
        (folder / "pid").write_text(f"{os.getpid()}")
        time.sleep(120)

    def interrupted(_):
        if (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text():
            raise KeyboardInterrupt
        return 0.0

    monkeypatch.setattr("chandelle.compute.isolated._memory_gb", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_isolated(task(0), tmp_path, function=lasting)
    assert not is_alive(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("on", ["serial", "local:1"])
def test_a_map_runs_each_call_in_its_own_process(tmp_path, on):
    def own(k):
        if k == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getpid(), os.getsid(0)

    how = {"on": on, "folder": tmp_path, "policy": Policy(retries=0, backoff_s=0.01, losses=1)}
    found = ch.map(own, [1, 2, 3], isolated=True, keep_failures=True, **how)
    pids = {pid for pid, _ in found[:2]}
    assert len(pids | {os.getpid()}) == 3
    assert found[:2] == [(session, session) for _, session in found[:2]]
    assert found[2].reason == "lost"
    assert "SIGKILL" in found[2].error


def test_an_element_of_an_array_runs_a_task_in_its_own_process(tmp_path):
    one = task(1, is_isolated=True)
    (tmp_path / "0.tasks").write_text(json.dumps([1, None, one.to_json()]))
    run_element(tmp_path, ArrayFolder(tmp_path), 0)
    [(pid, _)] = notes_of(tmp_path, one)
    assert pid != os.getpid()


def test_a_map_ends_a_call_over_its_memory(tmp_path):
    def greedy(gb):
        taken = b"1" * int(gb * 1e9)
        time.sleep(2.0)
        return len(taken)

    how = {"on": "serial", "folder": tmp_path, "policy": Policy(memory_gb=(0.3,))}
    [some, none] = ch.map(
        greedy, [0.0, 0.5], isolated=True, memory_gb=0.3, keep_failures=True, **how
    )
    assert some == 0
    assert (none.reason, none.error.endswith("may take 0.3 GB")) == ("memory", True)


def test_what_cannot_be_sent_is_refused_before_any_work(tmp_path):
    with open(tmp_path / "file", "w") as file:
        how = {"on": "serial", "folder": tmp_path / "run", "version": "1", "isolated": True}
        with pytest.raises(InputError, match="cannot be sent to a process of its own"):
            ch.map(lambda x: (file, x), [1], **how)
    assert not (tmp_path / "run").exists()


def test_an_error_of_unpacking_is_that_of_the_task(tmp_path):
    class Odd:
        def __reduce__(self):
            return int, ("a pear",)

    odd = Odd()
    outcome = run_isolated(task(0), tmp_path, function=lambda _task, _folder: odd)
    assert outcome.reason == "data"
    assert "a pear" in outcome.error
