"""When the fit counts as done: the same numbers for its compiled and its JAX engine."""

MAX_ROUNDS = 40
AT_REST_SIGMA, AT_REST_SIGMA_LATE = 1e-3, 0.1
"""A refit that moves no parameter by more than this ends the rounds; the second from `LATE_ROUND`
on, and is flagged."""
LATE_ROUND = 30
MAX_STEPS = 100
RACE_STEPS = 10
"""Evaluations given to each start before the best one goes on alone."""
PHASE_MARGIN = 4.0
"""Days by which the range of phases is widened, within the model, until the first answer is known.
"""
SAME_MINIMUM_DAYS = 1.0
"""Answers closer in t0 are one minimum, seen with other epochs at the edge of the window."""
TWO_MINIMA_COST = 4.0
"""Difference of `guess.epoch_cost` below which two minima are both told."""
SETTLING_ROUND = 5
"""From this round on epochs only leave, so that the rounds end, and the next start lies between the
last one and its answer, which goes back and forth."""


def part_of_way(turn: int) -> float:
    """How far from the last start to its answer the next start lies: ever less in late rounds."""
    if turn < SETTLING_ROUND:
        return 1.0
    if turn < 2 * SETTLING_ROUND:
        return 0.5
    return 0.25 if turn < 4 * SETTLING_ROUND else 0.08
