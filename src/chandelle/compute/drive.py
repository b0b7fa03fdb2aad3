"""The driver: hand out tasks in a sliding window, take outcomes, try again or give up.

It holds what is out and what failed, never the whole plan, and nothing of a task's output.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from chandelle.compute.beacon import Beacon
from chandelle.compute.engine import Engine
from chandelle.compute.failures import stops_the_run
from chandelle.compute.ledger import Entry, Ledger, certain
from chandelle.compute.policy import Clock, Policy
from chandelle.compute.resources import next_gb
from chandelle.compute.tally import Tally
from chandelle.compute.task import Task
from chandelle.compute.usage import Usage
from chandelle.compute.waiting import Attempt, Outage, Waiting, backoff
from chandelle.compute.watchdog import Watchdog
from chandelle.compute.work import Outcome, receipt_of
from chandelle.core.atomic import sweep_leftovers
from chandelle.core.errors import ChandelleError

_log = logging.getLogger(__name__)
_TICK_S = 1.0
_PAUSE_S = 0.05
_CHUNK = 10_000
"""Tasks looked at together before they are handed out."""


class PlaceError(ChandelleError):
    """The place takes no more: every task would fail."""


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
        self._out: dict[str, Attempt] = {}
        self._waiting, self._outage = Waiting(), Outage(self.policy)
        self._watchdog = Watchdog(engine, stage, self.policy, self._clock)
        self._place: Outcome | None = None
        self._written_to: set[Path] = set()

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
            with Beacon(self.ledger.folder, self.tally):
                self._work_off(self._unfinished(tasks))
            if self._place is None:
                for folder in self._written_to:
                    sweep_leftovers(folder, done=())
                self.ledger.compact()
                return self.tally
            trouble = self._place.error
        except OSError as error:
            if not stops_the_run(error, self.folder):
                raise
            trouble = f"OSError: {error}"
        mend = "see what is away" if self._outage.is_on else "make room (or the folder writable)"
        raise PlaceError(
            f"{self.folder}: {trouble}; {self.tally.left} of {total} tasks are left: {mend} and "
            "give the same command again"
        )

    def _work_off(self, fresh: Iterator[Task]) -> None:
        """Hand out tasks and take outcomes until none is left, or the disk takes no more."""
        while True:
            self._fill(fresh)
            if not self._out and (not self._waiting or self._place is not None):
                break
            if not self._out:
                self._clock.sleep(_PAUSE_S)
            for outcome in self.engine.wait(_TICK_S):
                self._take(outcome)
            self._watchdog.look(len(self._out), self.tally)
            self.tally.running = min(len(self._out), self.engine.workers())
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
        entries = certain(entries)
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
            if self._outage.holds(self._clock.now(), len(self._out)):
                return
            attempt = self._next(fresh)
            if attempt is None:
                return
            self._out[attempt.task.id] = attempt
            self._written_to |= {(self.folder / name).parent for name in attempt.task.outputs}
            self.engine.submit(attempt.task, attempt=attempt.number, memory_gb=attempt.memory_gb)
            if attempt.is_alone:
                return

    def _next(self, fresh: Iterator[Task]) -> Attempt | None:
        attempt = self._waiting.next(self._clock.now())
        if attempt is not None:
            return attempt
        # In an outage a fresh task is the probe where none waits, else the rest would be left out.
        task = None if self._outage.is_on and self._waiting else next(fresh, None)
        if task is not None:
            return Attempt(task)
        return None if self._out else self._waiting.next_alone()

    def _take(self, outcome: Outcome) -> None:
        """Count an outcome, or try its task again."""
        attempt = self._out.pop(outcome.id, None)
        if attempt is None:
            return
        self.tally.busy_s += outcome.wall_s
        if outcome.reason not in {"transient", "lost"}:
            self._outage.end()
        if outcome.is_done:
            self.tally.done += 1
            return
        _log.info("%s: %s, %s", attempt.task.key, outcome.reason, outcome.error)
        if outcome.is_place:
            self._place = outcome
        elif outcome.reason == "transient":
            self._take_absence(attempt, outcome)
        elif outcome.reason == "lost":
            self._take_loss(attempt, outcome)
        elif outcome.reason == "memory":
            self._take_shortage(attempt, outcome)
        else:
            self._give_up(attempt, outcome)

    def _retry(self, attempt: Attempt) -> None:
        attempt.number += 1
        self.tally.retried += 1
        self._waiting.add(attempt)

    def _take_absence(self, attempt: Attempt, outcome: Outcome) -> None:
        """Try a task again that failed for its place; while that is away, as often as it takes."""
        now = self._clock.now()
        if self._outage.meet(attempt, outcome, now):
            is_rest = self.tally.left == len(self._out) + len(self._waiting) + 1
            if is_rest and self.tally.done + self.tally.skipped > 0:
                # All others are done: it is these that fail, and the next step may do without.
                self._give_up(attempt, outcome)
                return
            self._place = outcome
        if self._outage.is_on:
            attempt.ready = now
            self.tally.retried += 1
            self._waiting.add(attempt)
        elif attempt.number <= self.policy.retries:
            attempt.ready = now + backoff(attempt, self.policy)
            self._retry(attempt)
        else:
            self._give_up(attempt, outcome)

    def _take_loss(self, attempt: Attempt, outcome: Outcome) -> None:
        """Try a task again whose process died; as a suspect if it did so before; then no more."""
        self.tally.lost += 1
        attempt.losses += 1
        if attempt.is_suspect:
            self._give_up(attempt, outcome)
        elif attempt.losses >= self.policy.losses:
            self._suspect(attempt, self._larger(attempt) or attempt.memory_gb)
        else:
            self._retry(attempt)

    def _take_shortage(self, attempt: Attempt, outcome: Outcome) -> None:
        """Try a task again in the next class of memory; the last was the last."""
        larger = self._larger(attempt)
        if larger is None:
            self._give_up(attempt, outcome)
        else:
            self._suspect(attempt, larger)

    def _suspect(self, attempt: Attempt, memory_gb: float | None) -> None:
        """Try a task again with more memory, where it can do no harm to others."""
        attempt.memory_gb, attempt.is_suspect = memory_gb, True
        attempt.is_alone = self.engine.is_shared()
        self._retry(attempt)

    def _larger(self, attempt: Attempt) -> float | None:
        """Next class of memory [GB], if there is one."""
        if self.policy.memory_gb is None:
            return self.engine.larger_gb(attempt.task, attempt.memory_gb)
        return next_gb(attempt.memory_gb or attempt.task.memory_gb, self.policy.memory_gb)

    def _give_up(self, attempt: Attempt, outcome: Outcome) -> None:
        """Write the receipt of a failure, if the worker could not, and count it."""
        if outcome.reason not in {"data", "program"}:
            how = {"attempt": attempt.number, "reason": outcome.reason, "error": outcome.error}
            self.ledger.write(receipt_of(attempt.task, Usage(), **how))
        self._count_failed(outcome.reason)

    def _count_failed(self, reason: str) -> None:
        self.tally.failed[reason] = self.tally.failed.get(reason, 0) + 1
