"""Arrays of jobs on a Slurm that is played: few arrays, few questions, however long the plan."""

from itertools import pairwise

import pytest
from played_slurm import OUT_OF_TIME, PlayedSlurm
from small_tasks import begun, drive, task

from chandelle.compute import slurm
from chandelle.compute.ledger import Ledger
from chandelle.compute.profile import Profile
from chandelle.compute.slurm import SlurmError
from chandelle.compute.slurm_array import SlurmArrayEngine
from chandelle.compute.work import Outcome, run_task

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


def test_nodes_where_nothing_starts_end_the_run_and_no_task_is_blamed(played, tmp_path):
    def breaks(job, number):
        (played.folders[job] / f"{number}.log").write_text(
            "\nslurmstepd: exec: python: not found\n"
        )

    played.end = breaks
    engine = SlurmArrayEngine(PROFILE, tmp_path)
    said = r"(?s)4 times in a row.*exec: python: not found.*nodes see .*python.* and .*again"
    with pytest.raises(SlurmError, match=said):
        drive(tmp_path, [task(k) for k in range(30)], engine=engine)
    assert list(Ledger(tmp_path, "squares").receipts()) == []
    assert len(played.arrays) <= 6
    assert 30.0 + 60.0 + 120.0 < played.now - 1000.0 < 1200.0
    [log, *_] = (tmp_path / "receipts" / "arrays").rglob("*.log")
    assert "not found" in log.read_text()


def test_a_node_where_nothing_starts_costs_time_alone(played, tmp_path):
    ends, broken = played.end, []

    def breaks_at_first(job, number):
        if len(broken) < 12:
            broken.append(number)
        else:
            ends(job, number)

    played.end = breaks_at_first
    engine = SlurmArrayEngine(PROFILE, tmp_path)
    tally = drive(tmp_path, [task(k) for k in range(30)], engine=engine)
    assert (tally.done, tally.lost, tally.retried, len(broken)) == (30, 0, 0, 12)


def test_a_bad_node_does_not_end_a_run_that_goes_on_elsewhere(played, tmp_path, monkeypatch):
    """One element works for hours, all others end before they begin."""
    ends = played.end

    def left():
        if not played.left:
            return []
        (job, number, _), *rest = played.left
        if (job, number) == ("0", 0):
            begun = played.tasks_of(job, number)[0]
            (played.folders[job] / f"{begun.id}.begun").touch()
            if played.now > 10_000.0:
                played.end = ends
                ends(job, number)
            else:
                rest = [("0", 0, "RUNNING")]
        else:
            for job, number, _ in played.left:
                played.end(job, number)
            rest = []
        played.left = rest
        return rest

    played.end = lambda *_: None
    monkeypatch.setattr(slurm, "elements_left", left)
    engine = SlurmArrayEngine(PROFILE, tmp_path)
    tally = drive(tmp_path, [task(k) for k in range(6)], engine=engine)
    assert (tally.done, tally.lost) == (6, 0)
    assert len(played.arrays) < 30


def test_an_element_that_dies_is_the_loss_of_the_task_it_had_begun(played, tmp_path):
    ends, died = played.end, []

    def dies(job, number):
        if died:
            ends(job, number)
            return
        first, second, third = played.tasks_of(job, number)
        played.outcome(job, Outcome(id=first.id))
        (played.folders[job] / f"{second.id}.begun").touch()
        (played.folders[job] / f"{number}.log").write_text("Segmentation fault")
        died.append((second.id, third.id))

    played.end = dies
    engine = SlurmArrayEngine(PROFILE, tmp_path)
    tally = drive(tmp_path, [task(k) for k in range(60)], engine=engine)
    assert (tally.done, tally.lost, tally.retried) == (60, 1, 1)


def test_files_may_come_a_minute_after_their_element_ended(played, tmp_path):
    ends, late = played.end, []

    def ends_unseen(job, number):
        late.append((job, number, played.now))

    def sleep(seconds):
        played.now += seconds
        for job, number, at in [one for one in late if played.now > one[2] + 50.0]:
            late.remove((job, number, at))
            ends(job, number)

    played.end, played.sleep = ends_unseen, sleep
    engine = SlurmArrayEngine(PROFILE, tmp_path)
    tally = drive(tmp_path, [task(k) for k in range(20)], engine=engine)
    assert (tally.done, tally.lost, len(played.arrays)) == (20, 0, 1)


def test_a_receipt_says_more_than_a_missing_outcome(played, tmp_path):
    done, bad = task(1), task(2, "bad_data")

    def ends_in_the_telling(job, number):
        for one in played.tasks_of(job, number):
            (played.folders[job] / f"{one.id}.begun").touch()
            run_task(one, tmp_path)

    played.end = ends_in_the_telling
    engine = SlurmArrayEngine(PROFILE, tmp_path, grace_s=5.0)
    tally = drive(tmp_path, [done, bad], engine=engine)
    assert (tally.done, tally.lost, tally.failed) == (1, 0, {"data": 1})
    assert played.now < 1030.0
    assert begun(tmp_path) == 2


def test_a_job_has_time_to_start_besides_its_tasks(played, tmp_path):
    profile = PROFILE.model_copy(update={"walltime_min": 60.0})
    engine = SlurmArrayEngine(profile, tmp_path)
    drive(tmp_path, [task(k) for k in range(200)], engine=engine)
    assert played.longest == 2
