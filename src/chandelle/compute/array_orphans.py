"""Arrays of jobs whose driver is no more: what they are at is finished, not begun a second time.

The next driver of the folder takes back their elements that wait, and lets those that run end after
the task they are at. Until an element has ended, its tasks are not handed out again, nor others of
the same key, which write the same outputs; what came of them then counts as if asked for.
"""

import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from chandelle.compute import slurm
from chandelle.compute.array_folder import ArrayFolder, Order, folders_in
from chandelle.compute.array_owner import Claim
from chandelle.compute.task import Task
from chandelle.compute.work import Outcome

_log = logging.getLogger(__name__)
View = list[tuple[str, int, str]]
"""Elements in the queue: array, number, state."""


@dataclass(slots=True)
class _Orphan:
    """An array without a driver: its job, if known, and the tasks of elements that run."""

    folder: ArrayFolder
    job: str
    is_seen: bool = False
    running: dict[int, list[Order]] = field(default_factory=dict)


class Orphans:
    """Arrays that dead drivers left in the folder of a run.

    Parameters
    ----------
    home : Path
        Where the folders of arrays are.
    """

    def __init__(self, home: Path) -> None:
        self._unclear = [(folder, Claim(folder.path)) for folder in folders_in(home)]
        self._orphans: list[_Orphan] = []
        self._held: set[tuple[str, str]] = set()
        self._told: dict[str, Outcome] = {}

    def is_unclear(self) -> bool:
        """Whether it is not known yet what is left: nothing may be handed out."""
        return bool(self._unclear) or any(not orphan.is_seen for orphan in self._orphans)

    def is_any(self) -> bool:
        """Whether the queue is to be looked into for them."""
        return bool(self._unclear or self._orphans)

    def workers(self) -> int:
        """Elements that run."""
        return sum(len(orphan.running) for orphan in self._orphans)

    def holds(self, task: Task) -> bool:
        """Whether a former run of a task, or of one that writes the same, may be under way."""
        return (task.stage, task.key) in self._held

    def told(self, task: Task) -> Outcome | None:
        """What came of a former run that was awaited; once."""
        return self._told.pop(task.id, None)

    def judge(self) -> None:
        """Take the arrays of those drivers that are dead; to be done before a look at the queue."""
        still = []
        for folder, claim in self._unclear:
            life = claim.life()
            if life == "unclear":
                still.append((folder, claim))
            elif life == "dead":
                with contextlib.suppress(FileNotFoundError):  # another driver has taken it over
                    folder.stop()
                    self._orphans.append(_Orphan(folder, folder.job()))
        self._unclear = still

    def look(self, view: View) -> None:
        """Take back what waits, and see what has ended."""
        for orphan in self._orphans:
            states = {number: state for job, number, state in view if job == orphan.job}
            waiting = [number for number, state in states.items() if state == "PENDING"]
            if waiting:
                _cancel(orphan.job, waiting)
            if not orphan.is_seen and states:
                _log.warning(
                    "job %s of a driver that is no more: %d elements that wait are taken back, %d "
                    "that run end after the task they are at",
                    orphan.job,
                    len(waiting),
                    len(states) - len(waiting),
                )
            try:
                self._follow(orphan, states)
            except FileNotFoundError:  # another driver has taken it over, and it has ended
                orphan.running.clear()
            orphan.is_seen = True
        for orphan in [orphan for orphan in self._orphans if not orphan.running]:
            self._orphans.remove(orphan)
            orphan.folder.remove()
        running = chain.from_iterable(orphan.running.values() for orphan in self._orphans)
        tasks = [order.task for order in chain.from_iterable(running)]
        self._held = {(task.stage, task.key) for task in tasks}

    def _follow(self, orphan: _Orphan, states: Iterable[int]) -> None:
        """Keep the tasks of elements that have not ended, and what came of those that were kept."""
        names, alive = orphan.folder.names(), set(states)
        for number in alive - orphan.running.keys():
            if not orphan.is_seen and f"{number}.tasks" in names:
                orphan.running[number] = orphan.folder.orders(number)
        for number, orders in list(orphan.running.items()):
            for order in [o for o in orders if f"{o.task.id}.outcome" in names]:
                orders.remove(order)
                self._told[order.task.id] = orphan.folder.outcome(order.task.id)
            if number not in alive:
                del orphan.running[number]


def _cancel(job: str, numbers: list[int]) -> None:
    """Take elements of an array back."""
    try:
        slurm.cancel(f"{job}_[{_ranges(numbers)}]")
    except slurm.SlurmError as error:
        _log.warning("%s; tried again", error)


def _ranges(numbers: Iterable[int]) -> str:
    """Numbers as Slurm writes them.

    Examples
    --------
    >>> _ranges([0, 1, 2, 5, 7, 8])
    '0-2,5,7-8'
    """
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(f"{a}-{b}" if b > a else f"{a}" for a, b in runs)
