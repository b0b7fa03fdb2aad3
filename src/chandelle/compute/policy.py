"""What a driver does about failures, and the time it goes by."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is done about failures.

    Parameters
    ----------
    retries : int
        Further runs of a task that failed for its place.
    backoff_s : float
        Wait before the first of them; four times as long each time (1, 4, 16, 64 s), within a half
        of it either way, so that many do not come back at once.
    away : int
        So many tasks in a row that failed for the place, none that did not: it is away. Then one
        is tried at a time, none is given up, and nothing new is handed out.
    memory_gb : tuple of float, optional
        Classes of memory, rising, instead of those of the place.
    losses : int
        A task whose process died so often gets the next class of memory, once; it runs alone
        where workers share a machine.
    report_s, give_up_s : float
        Without workers, when it is said and new ones are asked for, and when the run ends: never
        while some are on their way. It ends too where the place was away for `give_up_s`.
    """

    retries: int = 4
    backoff_s: float = 1.0
    away: int = 8
    memory_gb: tuple[float, ...] | None = None
    losses: int = 2
    report_s: float = 30.0
    give_up_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Clock:
    """The time a driver goes by, and how it waits [s]: the machine's, or that of a simulation."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
