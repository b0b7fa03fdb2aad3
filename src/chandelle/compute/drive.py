"""The driver: hand out tasks in a sliding window, take outcomes, try again or give up.

It holds what is out and what failed, never the whole plan, and nothing of a task's output.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from chandelle.compute.beacon import Beacon
from chandelle.compute.engine import Engine
from chandelle.compute.failures import stops_the_run
from chandelle.compute.ledger import Entry, Ledger
from chandelle.compute.resources import next_gb
from chandelle.compute.tally import Tally
from chandelle.compute.task import Task
from chandelle.compute.usage import Usage
from chandelle.compute.work import Outcome, receipt_of
from chandelle.core.errors import ChandelleError

_log = logging.getLogger(__name__)
_TICK_S = 1.0
_PAUSE_S = 0.05
_CHUNK = 10_000
"""Tasks looked at together before they are handed out."""


class NoWorkersError(ChandelleError):
    """Work is left and nobody to do it."""


class PlaceError(ChandelleError):
    """The disk takes no more: every task would fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is done about failures.

    Parameters
    ----------
    retries : int
        Further runs of a task that failed for its place.
    backoff_s : float
        Wait before the first of them; doubled each time.
    memory_gb : tuple of float, optional
        Classes of memory, rising, instead of those of the place.
    losses : int
        A task whose process died so often gets the next class of memory, once; it runs alone
        where workers share a machine.
    report_s, give_up_s : float
        Without workers, when it is said and new ones are asked for, and when the run ends: never
        while some wait in the queue of a batch system.
    """

    retries: int = 3
    backoff_s: float = 1.0
    memory_gb: tuple[float, ...] | None = None
    losses: int = 2
    report_s: float = 30.0
    give_up_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Clock:
    """The time a driver goes by, and how it waits [s]: the machine's, or that of a simulation."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(slots=True)
class _Attempt:
    task: Task
    number: int = 1
    losses: int = 0
    memory_gb: float | None = None
    ready: float = 0.0
    is_suspect: bool = False
    is_alone: bool = False


class Driver:
    """Runs the tasks of one stage on one engine.

    Parameters
    ----------
    engine : Engine
        Where they run.
    folder : Path
        Folder of the run.
    stage : str
        Its name.
    policy : Policy
        What is done about failures.
    report : callable, optional
        Called with the `Tally` whenever it has changed.
    clock : Clock, optional
        Another time than the machine's.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        stage: str,
        *,
        policy: Policy | None = None,
        report: Callable[[Tally], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.engine, self.folder, self.policy = engine, folder, policy or Policy()
        self.ledger, self.tally = Ledger(folder, stage), Tally()
        self._report, self._clock = report or (lambda _: None), clock or Clock()
        self._out: dict[str, _Attempt] = {}
        self._again: deque[_Attempt] = deque()
        self._alone: deque[_Attempt] = deque()
        self._place: Outcome | None = None
        self._idle_since: float | None = None
        self._asked = False

    def run(self, tasks: Iterable[Task], *, total: int) -> Tally:
        """Run all tasks that have no receipt.

        Parameters
        ----------
        tasks : iterable of Task
            The plan; read as it is worked off.
        total : int
            How many there are.

        Returns
        -------
        Tally
            What they came to.

        Raises
        ------
        NoWorkersError, PlaceError
            If the rest cannot be done now; the same call goes on from here.
        """
        self.tally.total = total
        try:
            with Beacon(self.ledger.folder, self.tally) as beacon:
                self._work_off(self._unfinished(tasks), beacon)
            if self._place is None:
                self.ledger.compact()
                return self.tally
            trouble = self._place.error
        except OSError as error:
            if not stops_the_run(error):
                raise
            trouble = f"OSError: {error}"
        raise PlaceError(
            f"{self.folder}: {trouble}; {self.tally.left} of {total} tasks are left: make room (or "
            "the folder writable) and give the same command again"
        )

    def _work_off(self, fresh: Iterator[Task], beacon: Beacon) -> None:
        """Hand out tasks and take outcomes until none is left, or the disk takes no more."""
        while True:
            self._fill(fresh)
            if not self._out and not self._again and not self._alone:
                break
            if not self._out and self._place is not None:
                break
            if not self._out:
                self._clock.sleep(_PAUSE_S)
            for outcome in self.engine.wait(_TICK_S):
                self._take(outcome)
            self._watch()
            self.tally.running = min(len(self._out), self.engine.workers())
            beacon.show()
            self._report(self.tally)
        self._report(self.tally)

    def _unfinished(self, tasks: Iterable[Task]) -> Iterator[Task]:
        """Tasks that are not done; the others are counted.

        A task that takes the place of an earlier one of its key, with other inputs or settings,
        will replace its outputs: the earlier receipt would lie from then on.
        """
        entries = self.ledger.entries()
        ids_of: dict[str, list[str]] = {}
        for task_id, entry in entries.items():
            ids_of.setdefault(entry.key, []).append(task_id)
        waiting = iter(tasks)
        while chunk := list(islice(waiting, _CHUNK)):
            fresh = [task for task in chunk if not self._is_settled(task, entries.get(task.id))]
            earlier = (ids_of.get(task.key, ()) for task in fresh)
            self.ledger.forget(list(chain.from_iterable(earlier)))
            yield from fresh

    def _is_settled(self, task: Task, entry: Entry | None) -> bool:
        """Whether a receipt says that a task is done or given up, and its outputs are there."""
        if entry is None:
            return False
        if entry.outcome != "done":
            self._count_failed(entry.outcome)
            return True
        is_there = all((self.folder / name).exists() for name in task.outputs)
        self.tally.skipped += is_there
        return is_there

    def _fill(self, fresh: Iterator[Task]) -> None:
        """Hand out tasks until the window is full; without work the engine is not asked."""
        if self._place is not None:
            return
        if any(attempt.is_alone for attempt in islice(self._out.values(), 1)):
            return
        while not self._out or len(self._out) < self.engine.window():
            attempt = self._next(fresh)
            if attempt is None:
                return
            self._out[attempt.task.id] = attempt
            self.engine.submit(attempt.task, attempt=attempt.number, memory_gb=attempt.memory_gb)
            if attempt.is_alone:
                return

    def _next(self, fresh: Iterator[Task]) -> _Attempt | None:
        now = self._clock.now()
        for _ in range(len(self._again)):
            attempt = self._again.popleft()
            if attempt.ready <= now:
                return attempt
            self._again.append(attempt)
        task = next(fresh, None)
        if task is not None:
            return _Attempt(task)
        if self._alone and not self._out and not self._again:
            return self._alone.popleft()
        return None

    def _take(self, outcome: Outcome) -> None:
        """Count an outcome, or try its task again."""
        attempt = self._out.pop(outcome.id, None)
        if attempt is None:
            return
        self.tally.busy_s += outcome.wall_s
        if outcome.is_done:
            self.tally.done += 1
            return
        _log.info("%s: %s, %s", attempt.task.key, outcome.reason, outcome.error)
        if outcome.is_place:
            self._place = outcome
        elif outcome.reason == "transient" and attempt.number <= self.policy.retries:
            wait = self.policy.backoff_s * 2 ** (attempt.number - 1)
            attempt.ready = self._clock.now() + wait
            self._retry(attempt)
        elif outcome.reason == "lost":
            self._take_loss(attempt, outcome)
        elif outcome.reason == "memory":
            self._take_shortage(attempt, outcome)
        else:
            self._give_up(attempt, outcome)

    def _retry(self, attempt: _Attempt) -> None:
        attempt.number += 1
        self.tally.retried += 1
        (self._alone if attempt.is_alone else self._again).append(attempt)

    def _take_loss(self, attempt: _Attempt, outcome: Outcome) -> None:
        """Try a task again whose process died; as a suspect if it did so before; then no more."""
        self.tally.lost += 1
        attempt.losses += 1
        if attempt.is_suspect:
            self._give_up(attempt, outcome)
        elif attempt.losses >= self.policy.losses:
            self._suspect(attempt, self._larger(attempt) or attempt.memory_gb)
        else:
            self._retry(attempt)

    def _take_shortage(self, attempt: _Attempt, outcome: Outcome) -> None:
        """Try a task again in the next class of memory; the last was the last."""
        larger = self._larger(attempt)
        if larger is None:
            self._give_up(attempt, outcome)
        else:
            self._suspect(attempt, larger)

    def _suspect(self, attempt: _Attempt, memory_gb: float | None) -> None:
        """Try a task again with more memory, where it can do no harm to others."""
        attempt.memory_gb, attempt.is_suspect = memory_gb, True
        attempt.is_alone = self.engine.is_shared()
        self._retry(attempt)

    def _larger(self, attempt: _Attempt) -> float | None:
        """Next class of memory [GB], if there is one."""
        if self.policy.memory_gb is None:
            return self.engine.larger_gb(attempt.task, attempt.memory_gb)
        return next_gb(attempt.memory_gb or attempt.task.memory_gb, self.policy.memory_gb)

    def _give_up(self, attempt: _Attempt, outcome: Outcome) -> None:
        """Write the receipt of a failure, if the worker could not, and count it."""
        if outcome.reason not in {"data", "program"}:
            how = {"attempt": attempt.number, "reason": outcome.reason, "error": outcome.error}
            self.ledger.write(receipt_of(attempt.task, Usage(), **how))
        self._count_failed(outcome.reason)

    def _count_failed(self, reason: str) -> None:
        self.tally.failed[reason] = self.tally.failed.get(reason, 0) + 1

    def _watch(self) -> None:
        """Say so, ask for more, and at last stop, where work is out and nobody there to do it."""
        if not self._out or self.engine.workers() > 0:
            self._idle_since, self._asked = None, False
            return
        now = self._clock.now()
        if self._idle_since is None:
            self._idle_since = now
        idle = now - self._idle_since
        if idle > self.policy.give_up_s and not self.engine.queued():
            raise NoWorkersError(
                f"{self.ledger.stage}: no worker for {idle:.0f} s, {self.tally.left} tasks are "
                "left; see the queue and its limits, then give the same command again"
            )
        if idle > self.policy.report_s and not self._asked:
            self._asked = True
            said = self.engine.revive()
            _log.warning(
                "%s: %d tasks are out and no worker is there for %.0f s; %s",
                self.ledger.stage,
                len(self._out),
                idle,
                said,
            )
