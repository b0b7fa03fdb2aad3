"""Work is out and nobody there to do it: it is said, more are asked for, at last the run ends."""

import logging

from chandelle.compute.engine import Engine
from chandelle.compute.policy import Clock, Policy
from chandelle.compute.tally import Tally
from chandelle.core.errors import ChandelleError

_log = logging.getLogger(__name__)
_REPEAT_S = 3600.0
"""Between two words of warning, at most."""


class NoWorkersError(ChandelleError):
    """Work is left and nobody to do it."""


class Watchdog:
    """Watches that work which is out has workers.

    Parameters
    ----------
    engine : Engine
        Where the work is.
    stage : str
        Whose it is.
    policy : Policy
        When it is said, and when the run ends.
    clock : Clock
        The time.
    """

    def __init__(self, engine: Engine, stage: str, policy: Policy, clock: Clock) -> None:
        self._engine, self._stage, self._policy, self._clock = engine, stage, policy, clock
        self._since: float | None = None
        self._coming = self._look = self._say = 0.0

    def look(self, n_out: int, tally: Tally) -> None:
        """Look whether somebody is there; the queue is asked every `report_s`, not each time.

        Raises
        ------
        NoWorkersError
            If nobody is there and nobody was on the way for `give_up_s`.
        """
        now, policy = self._clock.now(), self._policy
        if not n_out or self._engine.workers() > 0:
            self._since = None
            return
        if self._since is None:
            self._since = self._coming = now
            self._look = self._say = now + policy.report_s
        if now < self._look:
            return
        self._look = now + policy.report_s
        queued = self._engine.queued()
        if queued:
            self._coming = now
        elif now - self._coming > policy.give_up_s:
            raise NoWorkersError(
                f"{self._stage}: no worker for {now - self._since:.0f} s, {tally.left} tasks are "
                "left; see the queue and its limits, then give the same command again"
            )
        if now >= self._say:
            self._tell(now - self._since, queued, n_out)

    def _tell(self, idle_s: float, queued: int, n_out: int) -> None:
        """Say so and ask for more; again when twice as long has passed, or an hour."""
        self._say += min(max(idle_s, self._policy.report_s), _REPEAT_S)
        _log.warning(
            "%s: %d tasks are out and no worker is there for %.0f s, %d are on their way; %s",
            self._stage,
            n_out,
            idle_s,
            queued,
            self._engine.revive(),
        )
