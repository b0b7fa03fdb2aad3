"""When the fit counts as done: the same numbers for its compiled and its JAX engine."""

MAX_ROUNDS = 20
AT_REST_SIGMA, AT_REST_SIGMA_LATE = 1e-3, 0.1
"""A refit that moves no parameter by more than this ends the rounds; the second in late rounds."""
MAX_STEPS = 100
RACE_STEPS = 10
"""Evaluations given to each start before the best one goes on alone."""
PHASE_MARGIN = 4.0
"""Days by which the range of phases is widened until the first answer is known.

With 5 the default range would reach day 50, where models end and chi2 jumps."""
SAME_MINIMUM_DAYS = 0.1
TWO_MINIMA_CHI2 = 4.0
SETTLING_ROUND = 5
"""From this round on epochs only leave, so that the rounds end."""
