"""How long a command that fails is tried again: with growing waits, and not for ever."""

from dataclasses import dataclass


@dataclass(slots=True)
class Patience:
    """Tries of one thing that may fail for a while.

    Parameters
    ----------
    first_s, most_s : float
        Wait after the first failure, doubled by each further one to the longest.

    Examples
    --------
    >>> submits = Patience(10.0, 300.0)
    >>> for now in (0.0, 10.0, 30.0):
    ...     submits.failed(now)
    >>> submits.n_failed, submits.ready, submits.lasted(30.0)
    (3, 70.0, 30.0)
    >>> submits.worked()
    >>> submits.is_ready(30.0)
    True
    """

    first_s: float
    most_s: float
    n_failed: int = 0
    """Failures since it last worked."""
    ready: float = float("-inf")
    """When it may be tried again."""
    since: float = 0.0

    def failed(self, now: float) -> None:
        """Count a failure."""
        if not self.n_failed:
            self.since = now
        self.ready = now + min(self.first_s * 2.0**self.n_failed, self.most_s)
        self.n_failed += 1

    def worked(self) -> None:
        """Forget the failures."""
        self.n_failed, self.ready = 0, float("-inf")

    def is_ready(self, now: float) -> bool:
        """Whether it may be tried now."""
        return now >= self.ready

    def lasted(self, now: float) -> float:
        """How long it has failed [s]."""
        return now - self.since if self.n_failed else 0.0
