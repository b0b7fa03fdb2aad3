"""How far a stage is, in numbers."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """How far a stage is.

    Parameters
    ----------
    total : int
        Tasks of the plan.
    done, skipped : int
        Finished now, and before.
    failed : dict of str to int
        Dead letters by reason.
    running : int
        Handed out.
    retried, lost : int
        Further runs, and processes that died.
    busy_s : float
        Time that workers spent in tasks [s].
    """

    total: int = 0
    done: int = 0
    skipped: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    running: int = 0
    retried: int = 0
    lost: int = 0
    busy_s: float = 0.0

    @property
    def n_failed(self) -> int:
        """Dead letters."""
        return sum(self.failed.values())

    @property
    def left(self) -> int:
        """Tasks that have no outcome yet."""
        return self.total - self.done - self.skipped - self.n_failed
