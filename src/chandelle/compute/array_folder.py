"""What the driver of an array of jobs and its elements tell each other: small files of one folder.

``driver.json``, whose it is; ``job``, the number of the array; ``K.tasks``, what element K is to
run; ``stop``, where no element is to begin a task any more; by the elements ``K.started`` with the
number of the array, ``K.log``, and ``ID.begun`` and ``ID.outcome`` of each task. Names are read by
listing the folder, which a file system of the network answers anew, in one call for all.
"""

import json
import os
import shutil
import uuid
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from chandelle.compute.array_owner import FILE, claim
from chandelle.compute.task import Task
from chandelle.compute.work import Outcome
from chandelle.core.atomic import atomic_file

_JOB, _STOP, _OLD = "job", "stop", ".old-"
_TAIL = 300
"""Letters of the end of a log that are quoted."""


@dataclass(slots=True)
class Order:
    """A task, which run of it this is, and the memory it gets if not its own."""

    task: Task
    attempt: int
    memory_gb: float | None

    @property
    def gb(self) -> float:
        """Memory of its job, without what a job needs itself [GB]."""
        return self.memory_gb or self.task.memory_gb


class ArrayFolder:
    """The files of one array.

    Parameters
    ----------
    path : Path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def make(cls, home: Path) -> "ArrayFolder":
        """Make a new one, of this process: no other driver sees it unclaimed."""
        name = uuid.uuid4().hex
        new = home / f".new-{name}"
        new.mkdir(parents=True)
        claim(new)
        return cls(new.rename(home / name))

    def names(self) -> set[str]:
        """Files that are there now."""
        try:
            return {path.name for path in self.path.iterdir()}
        except FileNotFoundError:
            return set()

    def hand_over(self, number: int, orders: Sequence[Order]) -> None:
        """Write what an element is to run."""
        lines = [json.dumps([o.attempt, o.memory_gb, o.task.to_json()]) for o in orders]
        with atomic_file(self.path / f"{number}.tasks") as temporary:
            temporary.write_text("\n".join(lines), encoding="utf-8")

    def orders(self, number: int) -> list[Order]:
        """Read what an element is to run."""
        text = (self.path / f"{number}.tasks").read_text(encoding="utf-8")
        rows = map(json.loads, text.splitlines())
        return [Order(Task.from_json(task), attempt, gb) for attempt, gb, task in rows]

    def take(self, job: str) -> None:
        """Write down the number of the array."""
        (self.path / _JOB).write_text(job, encoding="ascii")

    def job(self) -> str:
        """Number of the array, as its driver or an element wrote it; nothing if none has."""
        names = self.names()
        for name in [_JOB, *(name for name in names if name.endswith(".started"))]:
            if name in names and (job := (self.path / name).read_text(encoding="ascii")):
                return job
        return ""

    def stop(self) -> None:
        """Let elements begin no further task."""
        (self.path / _STOP).touch()

    def go_on(self) -> None:
        """Let them begin tasks again."""
        (self.path / _STOP).unlink(missing_ok=True)

    def is_stopped(self) -> bool:
        """Whether no further task is to be begun."""
        return _STOP in self.names()

    def start(self, number: int) -> None:
        """Say that an element has started, and the number of its array."""
        job = os.environ.get("SLURM_ARRAY_JOB_ID", "")
        (self.path / f"{number}.started").write_text(job, encoding="ascii")

    def begin(self, task: Task) -> None:
        """Say that a task begins."""
        (self.path / f"{task.id}.begun").touch()

    def tell(self, outcome: Outcome) -> None:
        """Say what came of a task."""
        with atomic_file(self.path / f"{outcome.id}.outcome") as temporary:
            temporary.write_text(json.dumps(asdict(outcome)), encoding="utf-8")

    def outcome(self, task_id: str) -> Outcome:
        """Read what came of a task."""
        text = (self.path / f"{task_id}.outcome").read_text(encoding="utf-8")
        return Outcome(**json.loads(text))

    def log(self, number: int) -> Path:
        """Where an element says what it says."""
        return self.path / f"{number}.log"

    def last_words(self, number: int) -> str:
        """End of what an element said."""
        try:
            text = self.log(number).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return "it wrote no log"
        return f"its log ends: {' '.join(text[-_TAIL:].split())}" if text else "its log is empty"

    def remove(self, *, but_logs: Collection[int] = ()) -> None:
        """Remove it, at once for all who look; the logs of some elements may stay."""
        if but_logs:
            for name in self.names() - {f"{number}.log" for number in but_logs}:
                (self.path / name).unlink(missing_ok=True)
            return
        aside = self.path.with_name(f"{_OLD}{self.path.name}")
        try:
            self.path.rename(aside)
        except FileNotFoundError:
            return
        shutil.rmtree(aside, ignore_errors=True)


def folders_in(home: Path) -> list[ArrayFolder]:
    """Arrays that have a driver, or had one; what was left of a removal is removed."""
    found = []
    for path in home.iterdir() if home.is_dir() else ():
        if path.name.startswith(_OLD):
            shutil.rmtree(path, ignore_errors=True)
        elif not path.name.startswith(".") and (path / FILE).exists():
            found.append(ArrayFolder(path))
    return found
