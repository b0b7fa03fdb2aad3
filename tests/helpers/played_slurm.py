"""A Slurm that is played: its commands, its jobs and the clock."""

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from chandelle.compute import slurm, slurm_array
from chandelle.compute.slurm import SlurmError
from chandelle.compute.task import Task
from chandelle.compute.work import Outcome

OUT_OF_TIME = SlurmError("slurm_load_jobs error: Socket timed out on send/recv operation")


class PlayedSlurm:
    """Ends two elements, well, whenever it is asked; time goes by while one waits."""

    def __init__(self) -> None:
        self.now, self.arrays, self.asked = 1000.0, list[int](), 0
        self.left: list[tuple[str, int, str]] = []
        self.folders: dict[str, Path] = {}
        self.cancelled: list[str] = []
        self.longest = 0
        self.fails: dict[str, list[float]] = {}
        """Commands that fail, from when to when."""

    def install(self, monkeypatch) -> None:
        """Take the place of the commands and of the clock; arrays have 20 elements."""
        for name in ("submit", "elements_left", "cancel"):
            monkeypatch.setattr(slurm, name, getattr(self, name))
        monkeypatch.setattr(slurm_array, "time", self)
        monkeypatch.setattr(slurm_array, "_ELEMENTS", 20)

    def _may_fail(self, name: str) -> None:
        since, until = self.fails.get(name, [0.0, 0.0])
        if since <= self.now < until:
            raise OUT_OF_TIME

    def submit(self, script: str, options: Sequence[str]) -> str:
        """Take an array."""
        self._may_fail("sbatch")
        job = str(len(self.arrays))
        [last] = re.findall(r"--array=0-(\d+)%8", " ".join(options))
        self.folders[job] = Path(shlex.split(script.splitlines()[-1])[-1])
        self.arrays.append(int(last) + 1)
        self.left += [(job, number, "PENDING") for number in range(self.arrays[-1])]
        return job

    def elements_left(self) -> list[tuple[str, int, str]]:
        """Go on, and say what is left."""
        self._may_fail("squeue")
        self.asked += 1
        ended, self.left = self.left[:2], self.left[2:]
        for job, number, _ in ended:
            self.end(job, number)
        return self.left

    def end(self, job: str, number: int) -> None:
        """End an element."""
        tasks = self.tasks_of(job, number)
        self.longest = max(self.longest, len(tasks))
        for one in tasks:
            self.outcome(job, Outcome(id=one.id, wall_s=1.0))

    def tasks_of(self, job: str, number: int) -> list[Task]:
        """What an element is to run."""
        lines = (self.folders[job] / f"{number}.tasks").read_text().splitlines()
        return [Task.from_json(json.loads(line)[2]) for line in lines]

    def outcome(self, job: str, outcome: Outcome) -> None:
        """Tell what came of a task."""
        path = self.folders[job] / f"{outcome.id}.outcome"
        path.write_text(json.dumps(asdict(outcome)))

    def cancel(self, job: str) -> None:
        """Take jobs back."""
        self._may_fail("scancel")
        self.cancelled.append(job)

    def monotonic(self) -> float:
        """Tell the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds
