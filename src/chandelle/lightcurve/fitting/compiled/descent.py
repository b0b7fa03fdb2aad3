"""Damped Newton descent with bounds, the twin of `fitting.newton`."""

import math
from typing import NamedTuple

import numpy as np

from chandelle.core.compiled import clear, compiled
from chandelle.lightcurve.fitting.compiled.arrays import (
    N_PARAMS,
    Point,
    Space,
    Supernova,
)
from chandelle.lightcurve.fitting.compiled.chi2 import expand
from chandelle.lightcurve.fitting.newton import (
    CRAWL,
    DAMPING_FINAL,
    DAMPING_MAX,
    DAMPING_START,
    EDM_TOLERANCE,
)
from chandelle.physics.compiled.bands import ModelArrays
from chandelle.physics.compiled.grid import Floats


class DescentRoom(NamedTuple):
    """Room of a descent: `start` of a refit, `trial` point, `step` to it, and what solves for it.

    `gauss_newton` is that of the answer, whose other derivatives stand in the results.
    """

    start: Floats
    step: Floats
    trial: Point
    gauss_newton: Floats
    free_gradient: Floats
    scale: Floats
    right: Floats
    matrix: Floats
    lower: Floats


class Descent(NamedTuple):
    """How a descent ended.

    chi2 with priors, the decrease that a further step promises, evaluations, whether it converged,
    and whether a parameter stands at a bound or the minimum at a jump.
    """

    chi2: float
    edm: float
    n_steps: int
    is_converged: bool
    at_bound: bool


@compiled
def descent_room(space: Space) -> DescentRoom:
    """Name the rows of ``space.descent``; one array in `Space` is cheaper to hand on than ten."""
    rows = space.descent
    return DescentRoom(
        rows[0],
        rows[1],
        Point(rows[2], rows[3], rows[4:8], rows[8:12]),
        rows[12:16],
        rows[16],
        rows[17],
        rows[18],
        rows[19:23],
        rows[23:27],
    )


@compiled
def solve_scaled(
    matrix: Floats, scale: Floats, damping: float, right: Floats, lower: Floats, out: Floats
) -> bool:
    """Solve (M / (s s^T) + damping) x = right / s, then x / s; false where M is not positive."""
    for p in range(N_PARAMS):
        for q in range(p + 1):
            total = matrix[p, q] / (scale[p] * scale[q])
            if p == q:
                total += damping
            for k in range(q):
                total -= lower[p, k] * lower[q, k]
            if p == q:
                if not total > 0.0:
                    return False
                lower[p, p] = math.sqrt(total)
            else:
                lower[p, q] = total / lower[q, q]
    for p in range(N_PARAMS):
        total = right[p] / scale[p]
        for k in range(p):
            total -= lower[p, k] * out[k]
        out[p] = total / lower[p, p]
    for p in range(N_PARAMS - 1, -1, -1):
        total = out[p]
        for k in range(p + 1, N_PARAMS):
            total -= lower[k, p] * out[k]
        out[p] = total / lower[p, p]
    for p in range(N_PARAMS):
        out[p] /= scale[p]
    return True


@compiled
def plan_step(here: Point, one: Supernova, damping: float, room: DescentRoom) -> float:
    """Put a damped step inside the bounds into ``room.step``; return the decrease it promises.

    That is infinite where the Hessian is not positive. A parameter at a bound that would leave
    stays.
    """
    params, gradient, low, high = here.params, here.gradient, one.low, one.high
    step = room.step
    free_gradient, scale, matrix, right = room.free_gradient, room.scale, room.matrix, room.right
    for p in range(N_PARAMS):
        is_held = _pushes_out(params[p], gradient[p], low[p], high[p])
        free_gradient[p] = np.nan if is_held else gradient[p]
        size = math.sqrt(abs(here.gauss_newton[p, p]))
        scale[p] = 1.0 if is_held or size == 0.0 else size
    edm = 0.0
    for turn in range(2):
        chosen = here.hessian if turn == 0 else here.gauss_newton
        for p in range(N_PARAMS):
            for q in range(p + 1):
                is_held = np.isnan(free_gradient[p]) or np.isnan(free_gradient[q])
                matrix[p, q] = (1.0 if p == q else 0.0) if is_held else chosen[p, q]
        for p in range(N_PARAMS):
            right[p] = 0.0 if np.isnan(free_gradient[p]) else free_gradient[p]
        if solve_scaled(matrix, scale, damping, right, room.lower, step):
            for p in range(N_PARAMS):
                step[p] = -step[p]
                edm -= right[p] * step[p]
                step[p] = min(max(params[p] + step[p], low[p]), high[p]) - params[p]
            return edm if turn == 0 else np.inf
    clear(step, len(step))
    return np.inf


@compiled
def _pushes_out(value: float, slope: float, low: float, high: float) -> bool:
    """Whether a parameter stands at a bound and would leave."""
    return (value <= low and slope > 0.0) or (value >= high and slope < 0.0)


@compiled
def _move(here: Point, there: Point) -> None:
    """Copy a point into another."""
    for p in range(N_PARAMS):
        here.params[p], here.gradient[p] = there.params[p], there.gradient[p]
        for q in range(N_PARAMS):
            here.hessian[p, q] = there.hessian[p, q]
            here.gauss_newton[p, q] = there.gauss_newton[p, q]


@compiled
def descend(
    model: ModelArrays, one: Supernova, n_column: int, max_steps: int, here: Point, space: Space
) -> Descent:
    """Go down from a point to the minimum next to it, which then stands there.

    Parameters
    ----------
    model, one, n_column
        As for `chi2.expand`, whose weights must stand.
    max_steps : int
        Evaluations allowed.
    here : Point
        Its parameters are the start; changed, derivatives with them.
    space : Space
        With tables and weights.

    Returns
    -------
    Descent
        How it ended.
    """
    room = descent_room(space)
    there, step = room.trial, room.step
    params, low, high = here.params, one.low, one.high
    for p in range(N_PARAMS):
        params[p] = min(max(params[p], low[p]), high[p])
        step[p] = 0.0
    value, edm, damping = np.inf, np.inf, 10.0 * DAMPING_START
    n_steps, is_done, is_stalled = 0, False, False
    while n_steps < max_steps and not is_done:
        for p in range(N_PARAMS):
            there.params[p] = params[p] + step[p]
        new = expand(model, one, n_column, there, space)
        n_steps += 1
        is_better = new <= value + 1e-13 * abs(value) or n_steps == 1
        gain = value - new
        if is_better:
            value = new
            _move(here, there)
            damping = max(0.1 * damping, 1e-15)
        else:
            damping = max(10.0 * damping + 1e-9, 1e-15)
        edm = plan_step(here, one, damping, room)
        is_there = edm < EDM_TOLERANCE and damping < DAMPING_FINAL
        is_crawling = is_better and damping > 100.0 and gain < CRAWL * max(1.0, 0.01 * new)
        is_stalled = (is_crawling or damping > DAMPING_MAX) and not is_there
        is_done = is_there or is_stalled
    at_bound = is_stalled
    for p in range(N_PARAMS):
        at_bound = at_bound or _pushes_out(params[p], here.gradient[p], low[p], high[p])
    return Descent(value, edm, n_steps, is_done and np.isfinite(value), at_bound)
