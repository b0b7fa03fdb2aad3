"""Jobs of dask on a real Slurm: their memory, their number, and those that never came."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_slurm import slurm_site, write_profile
from slurm_marks import ON_SLURM
from small_tasks import assert_stands_once, begun, drive, task, wait_until

from chandelle.compute import slurm_engine
from chandelle.compute.drive import Policy
from chandelle.compute.ledger import Ledger
from chandelle.compute.places import open_engine
from chandelle.core.errors import InputError

pytestmark = ON_SLURM
SITE = {"memory_gb": [0.7, 1.5], "walltime_min": 5, "task_min": 1, "jobs": 4, "idle_s": 3}
PLAIN = Policy(backoff_s=0.01, give_up_s=120.0)


@pytest.fixture(scope="module")
def profile(tmp_path_factory) -> Iterator[Path]:
    with slurm_site(tmp_path_factory.mktemp("slurm"), **SITE) as (path, _):
        yield path


@pytest.fixture
def slow_profile(profile, tmp_path) -> Path:
    """The nodes of this one take a while before a worker is there."""
    return write_profile(tmp_path / "slow.toml", **SITE, prologue=["sleep 15"])


@pytest.fixture
def engine(profile, tmp_path) -> Iterator:
    opened = open_engine(f"slurm:{profile}", tmp_path)
    yield opened
    opened.close()


def queue(what: str, *options: str) -> list[str]:
    """What squeue says of each job, ended ones with ``--states=all``."""
    return subprocess.check_output(["squeue", "-h", "-o", what, *options], text=True).split()


def memory_of(folder: Path, one) -> str:
    """Memory of the job that a task was done in."""
    receipt = Ledger(folder, "squares").read(one.id)
    return queue("%m", "--states=all", f"--jobs={receipt.job}")[0]


def outputs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


class Sampler:
    """How many jobs run or wait, four times a second."""

    def __enter__(self) -> "Sampler":
        self.counts: list[int] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(0.25):
            self.counts.append(len(queue("%i", "--states=R,PD")))


def test_tasks_run_in_jobs_that_hold_them_and_one_that_took_more_in_the_next(engine, tmp_path):
    small = [task(k, memory_gb=0.2) for k in range(4)]
    large = task(7, memory_gb=0.6)
    more = {"memory_gb": 0.2, "settings": {"take_gb": 0.8}}
    greedy, apart = task(8, "greedy", **more), task(9, "greedy", is_isolated=True, **more)
    tasks = [*small, large, greedy, apart]
    tally = drive(tmp_path, tasks, PLAIN, engine=engine)
    assert (tally.done, tally.failed) == (7, {})
    # The one lost its worker twice, the other was ended in its own process, and told why.
    assert tally.lost >= 2
    ledger = Ledger(tmp_path, "squares")
    assert ledger.read(greedy.id).attempt == 3
    assert ledger.read(apart.id).attempt == 2
    assert [memory_of(tmp_path, one) for one in tasks] == ["700M"] * 4 + ["1500M"] * 3
    assert outputs(tmp_path) == {
        f"{one.settings['number']}.txt": b"%d" % one.settings["number"] ** 2 for one in tasks
    }


def test_a_task_that_no_class_holds_is_given_up(engine, tmp_path):
    greedy = task(8, "greedy", is_isolated=True, memory_gb=0.2, settings={"take_gb": 1.2})
    tally = drive(tmp_path, [greedy], PLAIN, engine=engine)
    assert tally.failed == {"memory": 1}
    assert Ledger(tmp_path, "squares").read(greedy.id).attempt == 2


def test_a_task_that_always_kills_its_worker_is_given_up_and_the_rest_done(engine, tmp_path):
    poison, rest = task(9, "poison", memory_gb=0.2), [task(k, memory_gb=0.2) for k in range(6)]
    tally = drive(tmp_path, [poison, *rest], PLAIN, engine=engine)
    assert (tally.done, tally.failed) == (6, {"lost": 1})
    assert tally.lost >= 3
    assert len(list((tmp_path / "notes").glob("k9-*"))) == 3
    receipt = Ledger(tmp_path, "squares").read(poison.id)
    assert (receipt.reason, receipt.attempt) == ("lost", 3)
    assert "its worker died" in receipt.error
    assert_stands_once(tmp_path, rest, given_up=(poison,))


def test_a_job_whose_worker_is_not_there_yet_is_waited_for(slow_profile, tmp_path, monkeypatch):
    monkeypatch.setattr(slurm_engine, "_LOOK_S", 1.0)
    engine = open_engine(f"slurm:{slow_profile}", tmp_path)
    policy = Policy(backoff_s=0.01, report_s=1.0, give_up_s=6.0)
    try:
        tally = drive(tmp_path, [task(1, memory_gb=0.2)], policy, engine=engine)
    finally:
        engine.close()
    assert (tally.done, tally.lost) == (1, 0)


def test_keys_go_with_the_run_and_logs_stay_after_losses(profile, tmp_path, monkeypatch, caplog):
    cache = tmp_path / "cache"
    monkeypatch.setenv("CHANDELLE_CACHE", str(cache))
    for name, one in (("well", task(1, memory_gb=0.2)), ("ill", task(2, "dies_once"))):
        engine = open_engine(f"slurm:{profile}", tmp_path / name)
        try:
            assert drive(tmp_path / name, [one], PLAIN, engine=engine).done == 1
            assert list(cache.rglob("key.pem"))
        finally:
            engine.close()
        assert not list(cache.rglob("*.pem"))
        assert not list(cache.rglob("*.tmp"))
        assert bool(list(cache.rglob("*.log"))) == (name == "ill")
    assert "workers were lost; what their jobs said" in caplog.text


def test_keys_of_a_driver_that_was_killed_go_with_the_next_run(profile, tmp_path, monkeypatch):
    monkeypatch.setenv("CHANDELLE_CACHE", str(tmp_path / "cache"))
    body = (
        "import os, sys; from pathlib import Path; from chandelle.compute.profile import "
        "load_profile; from chandelle.compute.job_cluster import JobCluster\n"
        "if __name__ == '__main__':\n"
        "    JobCluster(load_profile(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", body, str(profile)], check=False)
    (left,) = (tmp_path / "cache").rglob("key.pem")
    assert left.parent.stat().st_mode & 0o777 == 0o700
    engine = open_engine(f"slurm:{profile}", tmp_path)
    try:
        assert drive(tmp_path, [task(1, memory_gb=0.2)], PLAIN, engine=engine).done == 1
        assert not left.parent.exists()
    finally:
        engine.close()


def test_without_a_folder_that_nodes_see_no_job_is_asked_for(profile, tmp_path, monkeypatch):
    monkeypatch.setenv("CHANDELLE_CACHE", "off")
    engine = open_engine(f"slurm:{profile}", tmp_path)
    with pytest.raises(InputError, match="set CHANDELLE_CACHE to a folder that the nodes see"):
        engine.submit(task(1), attempt=1)


def test_idle_jobs_are_given_back_busy_ones_never_and_more_are_asked_for_again(engine, tmp_path):
    long = task(9, "lasting", memory_gb=0.2, settings={"last_s": 25.0})
    short = [task(k, "lasting", memory_gb=0.2, settings={"last_s": 1.0}) for k in range(7)]
    with Sampler() as sampler:
        tally = drive(tmp_path, [long, *short], PLAIN, engine=engine)
    assert (tally.done, tally.lost, begun(tmp_path)) == (8, 0, 16)
    counts = sampler.counts
    top = counts.index(4)
    assert max(counts) == 4
    assert counts[-1] == 1, "the busy one alone is left"
    falls = counts[top:]
    assert falls == sorted(falls, reverse=True), "given back once, and not asked for again"
    assert engine.workers() == 1
    with Sampler() as sampler:
        more = [task(k, "lasting", memory_gb=0.2, settings={"last_s": 2.0}) for k in range(10, 18)]
        assert drive(tmp_path, more, PLAIN, engine=engine).done == 8
    assert max(sampler.counts) == 4


def test_jobs_that_are_cancelled_in_the_queue_are_asked_for_again(
    engine, profile, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(slurm_engine, "_LOOK_S", 2.0)
    block = ["sbatch", "--parsable", "--mem=3900M", "--wrap", "sleep 300", "--output=/dev/null"]
    blocks = [subprocess.check_output(block, text=True).strip() for _ in range(2)]
    wait_until(lambda: set(blocks) <= set(queue("%i", "--states=R")), at_most_s=90.0)
    cancelled: list[str] = []

    def cancel_those_that_wait() -> None:
        until = time.monotonic() + 90.0
        while len(queue("%i", "--states=PD")) < 4 and time.monotonic() < until:
            time.sleep(0.2)
        cancelled[:] = queue("%i", "--states=PD")
        subprocess.run(["scancel", *cancelled], check=True)
        while engine.queued() and time.monotonic() < until:
            time.sleep(0.2)
        subprocess.run(["scancel", *blocks], check=True)

    thread = threading.Thread(target=cancel_those_that_wait)
    thread.start()
    try:
        tasks = [task(k, memory_gb=0.2) for k in range(12)]
        tally = drive(tmp_path, tasks, PLAIN, engine=engine)
    finally:
        thread.join()
    assert len(cancelled) == 4
    assert (tally.done, tally.lost, begun(tmp_path)) == (12, 0, 12)
    assert "ended before its worker came; another is asked for" in caplog.text
    jobs = {receipt.job for receipt in Ledger(tmp_path, "squares").receipts()}
    assert jobs.isdisjoint(cancelled)
