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
        At work, as far as the place tells: no more than its workers.
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

    @property
    def text(self) -> str:
        """In words, ``"12 of 25 done, 3 of them before, 1 failed (1 data)"``."""
        text = f"{self.done + self.skipped} of {self.total} done"
        text += f", {self.skipped} of them before" if self.skipped else ""
        text += f", {self.running} running" if self.running else ""
        text += f", {self.retried} tried again" if self.retried else ""
        if self.failed:
            reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(self.failed.items()))
            text += f", {self.n_failed} failed ({reasons})"
        return text
