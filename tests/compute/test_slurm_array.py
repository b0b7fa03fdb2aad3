"""Arrays of jobs on a Slurm that is played: few arrays, few questions, however long the plan."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pytest
from small_tasks import drive, task

from chandelle.compute import slurm, slurm_array
from chandelle.compute.profile import Profile
from chandelle.compute.slurm_array import SlurmArrayEngine
from chandelle.compute.task import Task
from chandelle.compute.work import Outcome

PROFILE = Profile(kind="slurm", walltime_min=70.0, task_min=20.0, jobs=8, memory_gb=(4.0, 8.0))


class PlayedSlurm:
    """Ends two elements, well, whenever it is asked; time goes by while one waits."""

    def __init__(self) -> None:
        self.now, self.arrays, self.asked = 1000.0, list[int](), 0
        self.left: list[tuple[str, int, str]] = []
        self.folders: dict[str, Path] = {}
        self.longest = 0

    def submit(self, script: str, options: Sequence[str]) -> str:
        job = str(len(self.arrays))
        last = re.search(r"--array=0-(\d+)%8", " ".join(options))
        self.folders[job] = Path(shlex.split(script.splitlines()[-1])[-1])
        self.arrays.append(int(last[1]) + 1)
        self.left += [(job, number, "PENDING") for number in range(self.arrays[-1])]
        return job

    def elements_left(self) -> list[tuple[str, int, str]]:
        self.asked += 1
        for job, number, _ in self.left[:2]:
            folder = self.folders[job]
            lines = (folder / f"{number}.tasks").read_text().splitlines()
            self.longest = max(self.longest, len(lines))
            for line in lines:
                done = Outcome(id=Task.from_json(json.loads(line)[2]).id, wall_s=1.0)
                (folder / f"{done.id}.outcome").write_text(json.dumps(asdict(done)))
        self.left = self.left[2:]
        return self.left

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def played(monkeypatch) -> Iterator[PlayedSlurm]:
    """Instead of the commands of Slurm and the clock; arrays of 20 elements."""
    one = PlayedSlurm()
    monkeypatch.setattr(slurm, "submit", one.submit)
    monkeypatch.setattr(slurm, "elements_left", one.elements_left)
    monkeypatch.setattr(slurm_array, "time", one)
    monkeypatch.setattr(slurm_array, "_ELEMENTS", 20)
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
