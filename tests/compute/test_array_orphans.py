"""Arrays whose driver is dead, on a Slurm that is played."""

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from played_slurm import PlayedSlurm
from small_tasks import drive, task

from chandelle.compute import array_owner, slurm
from chandelle.compute.array_folder import ArrayFolder, Order
from chandelle.compute.array_orphans import Orphans
from chandelle.compute.array_owner import FILE
from chandelle.compute.profile import Profile
from chandelle.compute.slurm_array import SlurmArrayEngine, run_element
from chandelle.compute.task import Task
from chandelle.compute.work import Outcome

PROFILE = Profile(kind="slurm", walltime_min=70.0, task_min=20.0, jobs=8, memory_gb=(4.0, 8.0))
TASKS = [task(k) for k in range(9)]


@pytest.fixture
def played(monkeypatch) -> PlayedSlurm:
    one = PlayedSlurm()
    one.install(monkeypatch)
    return one


def dead_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def left_behind(played: PlayedSlurm, run: Path, tasks: list[Task], **owner) -> ArrayFolder:
    """Array 7 of a dead driver: element 0 runs, 1 and 2 wait, three tasks each."""
    folder = ArrayFolder.make(run / "receipts" / "arrays")
    for number in range(3):
        own = [Order(one, 1, None) for one in tasks[3 * number : 3 * number + 3]]
        folder.hand_over(number, own)
    facts = {"host": platform.node(), "pid": dead_process(), "started": 0.0} | owner
    (folder.path / FILE).write_text(json.dumps(facts))
    folder.take("7")
    (folder.path / "0.started").write_text("7")
    folder.begin(tasks[0])
    played.folders["7"] = folder.path
    played.left = [("7", 0, "RUNNING"), ("7", 1, "PENDING"), ("7", 2, "PENDING")]
    return folder


class Former:
    """Element 0 of array 7 ends at a time, with its first task done; the others do when told."""

    def __init__(self, played: PlayedSlurm, first: Task, *, until: float) -> None:
        self.played, self.first, self.until = played, first, until
        self.others = played.elements_left
        self.begun_at: dict[str, float] = {}

    def elements_left(self) -> list[tuple[str, int, str]]:
        played = self.played
        former = [one for one in played.left if one[0] == "7"]
        played.left = [one for one in played.left if one[0] != "7"]
        own = self.others()
        for job, number, _ in own:
            for one in played.tasks_of(job, number):
                self.begun_at.setdefault(one.id, played.now)
        if former and played.now >= self.until:
            if played.folders["7"].exists():
                played.outcome("7", Outcome(id=self.first.id, wall_s=5.0))
            former = []
        if played.cancelled:
            former = [one for one in former if one[2] == "RUNNING"]
        played.left = former + own
        return list(played.left)


def follow(played, monkeypatch, first: Task, *, until: float) -> Former:
    former = Former(played, first, until=until)
    monkeypatch.setattr(slurm, "elements_left", former.elements_left)
    return former


def handed_out(played: PlayedSlurm, monkeypatch) -> dict[str, list[str]]:
    """Ids of tasks by the array they were submitted in."""
    found: dict[str, list[str]] = {}
    submit = played.submit

    def noted(script, options):
        job = submit(script, options)
        paths = sorted(played.folders[job].glob("*.tasks"))
        orders = [ArrayFolder(path.parent).orders(int(path.stem)) for path in paths]
        found[job] = [order.task.id for own in orders for order in own]
        return job

    monkeypatch.setattr(slurm, "submit", noted)
    return found


def test_work_under_way_is_awaited_and_the_rest_handed_out_at_once(played, tmp_path, monkeypatch):
    folder = left_behind(played, tmp_path, TASKS)
    follow(played, monkeypatch, TASKS[0], until=1500.0)
    given = handed_out(played, monkeypatch)
    tally = drive(tmp_path, TASKS, engine=SlurmArrayEngine(PROFILE, tmp_path))
    assert (tally.done, tally.lost) == (9, 0)
    assert tally.busy_s == pytest.approx(5.0 + 8.0)
    assert played.cancelled == ["7_[1-2]"]
    assert [set(ids) for ids in given.values()] == [
        {one.id for one in TASKS[3:]},
        {TASKS[1].id, TASKS[2].id},
    ]
    assert played.now > 1500.0
    assert not folder.path.exists()


def test_a_stale_task_ends_before_another_writes_the_same_outputs(played, tmp_path, monkeypatch):
    left_behind(played, tmp_path, [task(k, settings={"old": True}) for k in range(9)])
    follow(played, monkeypatch, task(0, settings={"old": True}), until=1500.0)
    given = handed_out(played, monkeypatch)
    assert drive(tmp_path, TASKS, engine=SlurmArrayEngine(PROFILE, tmp_path)).done == 9
    assert [len(ids) for ids in given.values()] == [6, 3]


def test_nothing_is_handed_out_before_the_queue_was_seen(played, tmp_path, monkeypatch):
    left_behind(played, tmp_path, TASKS)
    follow(played, monkeypatch, TASKS[0], until=1010.0)
    look, asked = slurm.elements_left, []

    def away():
        asked.append(played.now)
        if played.now < 1200.0:
            raise slurm.SlurmError("Unable to contact slurm controller")
        return look()

    monkeypatch.setattr(slurm, "elements_left", away)
    engine = SlurmArrayEngine(PROFILE, tmp_path)
    for one in TASKS:
        engine.submit(one, attempt=1)
    while played.now < 1199.0:
        assert engine.wait(1.0) == []
    assert len(asked) > 3
    assert played.arrays == []
    found = []
    while played.now < 1300.0:
        found += engine.wait(1.0)
        played.now += 1.0
    assert {outcome.id for outcome in found} == {one.id for one in TASKS}


def test_a_driver_that_lives_is_left_alone(played, tmp_path):
    engine = SlurmArrayEngine(PROFILE, tmp_path)
    engine.submit(TASKS[0], attempt=1)
    engine.wait(0.0)
    other = SlurmArrayEngine(PROFILE, tmp_path)
    other.submit(TASKS[1], attempt=1)
    other.wait(0.0)
    assert played.arrays == [1, 1]
    assert played.cancelled == []
    assert not any((folder / "stop").exists() for folder in played.folders.values())


def test_what_a_closed_engine_took_back_is_awaited(played, tmp_path, monkeypatch):
    monkeypatch.setattr(slurm, "elements_left", lambda: played.left)
    first = SlurmArrayEngine(PROFILE, tmp_path)
    first.submit(TASKS[0], attempt=1)
    first.wait(0.0)
    first.close()
    assert played.cancelled == ["0"]
    played.left = [("0", 0, "COMPLETING")]
    second = SlurmArrayEngine(PROFILE, tmp_path)
    second.submit(TASKS[0], attempt=1)
    second.wait(5.0)
    assert played.arrays == [1]
    played.left = []
    second.wait(5.0)
    assert played.arrays == [1, 1]
    assert len(list((tmp_path / "receipts" / "arrays").iterdir())) == 1


def test_the_array_of_a_driver_killed_while_it_submitted_is_known_by_its_elements(
    played, tmp_path, monkeypatch
):
    folder = left_behind(played, tmp_path, TASKS)
    (folder.path / "job").unlink()
    follow(played, monkeypatch, TASKS[0], until=1100.0)
    tally = drive(tmp_path, TASKS, engine=SlurmArrayEngine(PROFILE, tmp_path))
    assert tally.done == 9
    assert played.cancelled == ["7_[1-2]"]
    assert played.now > 1100.0


def test_an_element_that_is_to_stop_begins_no_further_task(tmp_path):
    folder = ArrayFolder.make(tmp_path / "receipts" / "arrays")
    folder.hand_over(0, [Order(one, 1, None) for one in TASKS[:2]])
    folder.stop()
    run_element(tmp_path, folder, 0)
    assert not list(folder.path.glob("*.begun"))
    folder.go_on()
    run_element(tmp_path, folder, 0)
    assert len(list(folder.path.glob("*.outcome"))) == 2


def test_an_array_that_was_taken_though_sbatch_failed_is_kept(played, tmp_path, monkeypatch):
    submit = played.submit

    def says_no(script, options):
        job = submit(script, options)
        (played.folders[job] / "0.started").write_text(job)
        raise slurm.SlurmError("sbatch: error: Batch job submission failed: Socket timed out")

    monkeypatch.setattr(slurm, "submit", says_no)
    tally = drive(tmp_path, TASKS, engine=SlurmArrayEngine(PROFILE, tmp_path))
    assert (tally.done, tally.lost, played.arrays) == (9, 0, [9])


@pytest.mark.parametrize("moves", [True, False])
def test_a_driver_of_another_machine_is_alive_while_its_file_is_touched(
    played, tmp_path, monkeypatch, moves
):
    """By the clock of the file system alone, which is played here."""
    folder = left_behind(played, tmp_path, TASKS, host="elsewhere")
    follow(played, monkeypatch, TASKS[0], until=1500.0)
    clock = (folder.path / FILE).stat().st_mtime - 1000.0
    monkeypatch.setattr(array_owner, "_clock", lambda _: clock + played.now)
    sleep = played.sleep

    def goes_by(seconds):
        sleep(seconds)
        if moves and played.now > 1020.0:
            array_owner.os.utime(folder.path / FILE, (clock + played.now, clock + played.now))

    played.sleep = goes_by
    engine = SlurmArrayEngine(PROFILE, tmp_path)
    for one in TASKS:
        engine.submit(one, attempt=1)
    while played.now < 1018.0:
        assert engine.wait(1.0) == []
    assert played.arrays == []
    while played.now < 1100.0:
        engine.wait(1.0)
        played.sleep(1.0)
    assert played.arrays == ([9] if moves else [])
    while played.now < 1200.0:
        engine.wait(1.0)
        played.sleep(1.0)
    assert played.arrays == ([9] if moves else [6])
    assert played.cancelled == ([] if moves else ["7_[1-2]"])
    assert (folder.path / "stop").exists() is not moves


def test_an_array_that_another_driver_took_over_and_removed_is_let_be(tmp_path, played):
    folder = left_behind(played, tmp_path, TASKS)
    orphans = Orphans(tmp_path / "receipts" / "arrays")
    orphans.judge()
    orphans.look([("7", 0, "RUNNING")])
    assert orphans.holds(TASKS[0])
    shutil.rmtree(folder.path)
    orphans.judge()
    orphans.look([])
    assert not orphans.holds(TASKS[0])
