"""Tasks that wait to be tried again, and whether their place is away."""

import hashlib
import heapq
import logging
from collections import deque
from dataclasses import dataclass
from itertools import count

from chandelle.compute.policy import Policy
from chandelle.compute.task import Task
from chandelle.compute.work import Outcome

_log = logging.getLogger(__name__)
_GROWTH = 4.0
_PROBE_S = 60.0
"""Between two tries where the place is away, at most."""


@dataclass(slots=True)
class Attempt:
    """A task on its way: which run it is, what it met, when it may run."""

    task: Task
    number: int = 1
    losses: int = 0
    memory_gb: float | None = None
    ready: float = 0.0
    is_suspect: bool = False
    is_alone: bool = False


class Waiting:
    """Attempts in the order in which they may run; those that must run alone come last."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Attempt]] = []
        self._order = count()
        self._alone: deque[Attempt] = deque()

    def __len__(self) -> int:
        return len(self._heap) + len(self._alone)

    def add(self, attempt: Attempt) -> None:
        """Keep an attempt until it is ready."""
        if attempt.is_alone:
            self._alone.append(attempt)
        else:
            heapq.heappush(self._heap, (attempt.ready, next(self._order), attempt))

    def next(self, now: float) -> Attempt | None:
        """Take the attempt that has been ready for longest, if one is."""
        if self._heap and self._heap[0][0] <= now:
            return heapq.heappop(self._heap)[2]
        return None

    def next_alone(self) -> Attempt | None:
        """Take an attempt that runs alone, once no other waits."""
        return self._alone.popleft() if self._alone and not self._heap else None


def backoff(attempt: Attempt, policy: Policy) -> float:
    """Wait before the next run of a task that failed for its place [s]; the same for the same."""
    word = hashlib.sha256(f"{attempt.task.id} {attempt.number}".encode()).digest()
    spread = 0.5 + word[0] / 255.0
    return policy.backoff_s * _GROWTH ** (attempt.number - 1) * spread


class Outage:
    """Whether the place is away: several tasks in a row failed for it, and none otherwise.

    An archive that is down for minutes would make dead letters of all that meets it.

    Parameters
    ----------
    policy : Policy
        How many tasks in a row it takes, and how long it may last.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._met: set[str] = set()
        self._since: float | None = None
        self._until = 0.0

    @property
    def is_on(self) -> bool:
        """Whether the place counts as away."""
        return self._since is not None

    def meet(self, attempt: Attempt, outcome: Outcome, now: float) -> bool:
        """Take a failure of the place; says whether it has been away for too long.

        First runs alone are evidence: what fails again and again may be a fault of its own.
        """
        if attempt.number == 1:
            self._met.add(outcome.id)
        if self._since is None and len(self._met) >= self._policy.away:
            self._since = now
            _log.warning(
                "the last %d tasks failed for their place (%s); trying one at a time",
                len(self._met),
                outcome.error,
            )
        if self._since is None:
            return False
        away_s = now - self._since
        self._until = now + min(max(away_s, self._policy.backoff_s), _PROBE_S)
        return away_s > self._policy.give_up_s

    def end(self) -> None:
        """Take an outcome that shows that the place is there."""
        if self.is_on:
            _log.warning("the place is there again")
        self._since = None
        self._met.clear()

    def holds(self, now: float, n_out: int) -> bool:
        """Whether nothing may be handed out now: a probe is out, or not yet due."""
        return self.is_on and (n_out > 0 or now < self._until)
