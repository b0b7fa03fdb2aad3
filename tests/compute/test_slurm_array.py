"""Arrays of jobs on a Slurm that is played: few arrays, few questions, however long the plan."""

from itertools import pairwise

import pytest
from played_slurm import OUT_OF_TIME, PlayedSlurm
from small_tasks import drive, task

from chandelle.compute import slurm
from chandelle.compute.profile import Profile
from chandelle.compute.slurm import SlurmError
from chandelle.compute.slurm_array import SlurmArrayEngine

PROFILE = Profile(kind="slurm", walltime_min=70.0, task_min=20.0, jobs=8, memory_gb=(4.0, 8.0))


@pytest.fixture
def played(monkeypatch) -> PlayedSlurm:
    one = PlayedSlurm()
    one.install(monkeypatch)
    return one


def test_a_long_plan_takes_few_arrays(played, tmp_path):
    engine = SlurmArrayEngine(PROFILE, tmp_path)
    assert drive(tmp_path, [task(k) for k in range(400)], engine=engine).done == 400
    # 60 tasks at first, then as many as are missing of them whenever half are done.
    assert len(played.arrays) <= 1 + (400 - 60) // 30 + 1
    assert max(played.arrays) <= 20


def test_an_element_holds_no_more_than_its_walltime(played, tmp_path):
    engine = SlurmArrayEngine(PROFILE, tmp_path)
    drive(tmp_path, [task(k) for k in range(200)], engine=engine)
    assert played.longest == 3


def test_long_work_is_seldom_asked_for(played, tmp_path, monkeypatch):
    asked: list[float] = []

    def runs() -> list[tuple[str, int, str]]:
        asked.append(played.now)
        return [("0", 0, "RUNNING")]

    monkeypatch.setattr(slurm, "elements_left", runs)
    engine = SlurmArrayEngine(PROFILE, tmp_path)
    engine.submit(task(1), attempt=1)
    while played.now < 1000.0 + 6000.0:
        assert engine.wait(1.0) == []
    gaps = [after - before for before, after in pairwise(asked)]
    assert gaps[0] <= 1.5
    assert 29.0 <= gaps[-1] <= 31.5
    assert len(asked) < 600
    assert engine.workers() == 1


def test_a_controller_that_is_away_for_a_while_costs_time_alone(played, tmp_path, caplog):
    played.fails = {"squeue": [1002.0, 1600.0]}
    engine = SlurmArrayEngine(PROFILE, tmp_path)
    tally = drive(tmp_path, [task(k) for k in range(40)], engine=engine)
    assert (tally.done, tally.lost, tally.retried) == (40, 0, 0)
    assert played.now > 1600.0
    assert played.cancelled == []
    assert caplog.text.count("Socket timed out") >= 3


def test_a_controller_that_stays_away_ends_the_run(played, tmp_path):
    played.fails = {"squeue": [1002.0, 9000.0]}
    engine = SlurmArrayEngine(PROFILE, tmp_path)
    with pytest.raises(SlurmError, match="Socket timed out"):
        drive(tmp_path, [task(k) for k in range(40)], engine=engine)
    assert 1002.0 + 900.0 <= played.now < 1002.0 + 1100.0


def test_a_submission_that_fails_is_tried_again_and_loses_nothing(played, tmp_path):
    played.fails = {"sbatch": [1000.0, 1200.0]}
    engine = SlurmArrayEngine(PROFILE, tmp_path)
    tally = drive(tmp_path, [task(k) for k in range(40)], engine=engine)
    assert (tally.done, tally.lost, tally.retried) == (40, 0, 0)
    assert played.arrays == [20]
    assert len(list((tmp_path / "receipts" / "arrays").iterdir())) == 0


def test_one_class_of_memory_that_is_not_taken_leaves_the_other_its_own(
    played, tmp_path, monkeypatch
):
    engine = SlurmArrayEngine(PROFILE, tmp_path)
    submit, taken = played.submit, []

    def once(script, options):
        taken.append(options)
        if len(taken) == 2:
            raise OUT_OF_TIME
        return submit(script, options)

    monkeypatch.setattr(slurm, "submit", once)
    tasks = [*(task(k) for k in range(4)), *(task(k, memory_gb=6.0) for k in range(4, 8))]
    assert drive(tmp_path, tasks, engine=engine).done == 8
    assert played.arrays == [4, 4]


def test_a_submission_that_can_never_be_taken_ends_the_run_at_once(played, tmp_path, monkeypatch):
    def refuse(script, options):
        raise SlurmError(
            "sbatch: error: Invalid account or account/partition combination specified"
        )

    monkeypatch.setattr(slurm, "submit", refuse)
    engine = SlurmArrayEngine(PROFILE, tmp_path)
    with pytest.raises(SlurmError, match="Invalid account"):
        drive(tmp_path, [task(1)], engine=engine)
    assert played.now < 1010.0
