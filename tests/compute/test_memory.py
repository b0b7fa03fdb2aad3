"""Classes of memory: what a job holds, what a task gets that had too little."""

from types import SimpleNamespace

import pytest
from small_tasks import drive, task

from chandelle.compute import resources
from chandelle.compute.drive import Policy
from chandelle.compute.engine import SerialEngine
from chandelle.compute.ledger import Ledger
from chandelle.compute.profile import Profile
from chandelle.compute.slurm_array import SlurmArrayEngine
from chandelle.compute.slurm_engine import SlurmEngine

SITE = Profile(kind="slurm", memory_gb=(4.0, 8.0), overhead_gb=0.25)


@pytest.mark.parametrize(
    ("task_gb", "job_gb"), [(2.0, 4.0), (3.15, 4.0), (4.0, 8.0), (6.5, 8.0), (10.0, 13.0)]
)
def test_a_task_gets_the_smallest_job_that_holds_it(task_gb, job_gb):
    assert SITE.job_gb(task_gb) == job_gb
    assert SITE.worker_gb(job_gb) >= task_gb
    assert SITE.limit_gb(job_gb) >= task_gb + SITE.overhead_gb, "the worker itself takes some"


def test_the_next_class_is_above_that_of_the_job_a_task_was_in(tmp_path):
    dask, array = SlurmEngine(SITE, tmp_path), SlurmArrayEngine(SITE, tmp_path)
    one = task(1, memory_gb=2.0)
    assert dask.larger_gb(one, None) == pytest.approx(8.0 * 0.85 - 0.25)
    assert dask.larger_gb(one, dask.larger_gb(one, None)) is None
    # A job of an array is made for its task.
    assert [array.larger_gb(one, had) for had in (None, 4.0, 8.0)] == [4.0, 8.0, None]


def test_a_machine_gives_no_more_than_it_has(monkeypatch):
    monkeypatch.setattr(resources.psutil, "virtual_memory", lambda: SimpleNamespace(total=9e9))
    assert resources.machine_gb() == (4.0, 8.0)


class Generous(SerialEngine):
    """Has classes of its own."""

    def larger_gb(self, task, had):
        return {None: 0.28, 0.28: 1.0}.get(had)


def test_the_classes_are_those_of_the_place_unless_others_are_given(tmp_path):
    greedy = {"memory_gb": 0.25, "is_isolated": True, "settings": {"take_gb": 0.3}}
    for policy, attempts in ((Policy(), 3), (Policy(memory_gb=(0.9,)), 2)):
        folder, one = tmp_path / f"{attempts}", task(1, "greedy", **greedy)
        tally = drive(folder, [one], policy, engine=Generous(folder))
        assert (tally.done, tally.retried) == (1, attempts - 1)
        assert Ledger(folder, "squares").read(one.id).attempt == attempts
