"""Damped Newton descent with bounds, the twin of `fitting.newton`."""

import math

import numpy as np

from chandelle.core.compiled import compiled
from chandelle.lightcurve.fitting.compiled.arrays import N_PARAMS, EpochArrays, Space
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
def plan_step(
    params: Floats,
    gradient: Floats,
    hessian: Floats,
    gauss_newton: Floats,
    low: Floats,
    high: Floats,
    damping: float,
    step: Floats,
    room: Floats,
) -> float:
    """Put a damped step inside the bounds into `step`; return the decrease that it promises.

    That is infinite where the Hessian is not positive. A parameter at a bound that would leave
    stays.
    """
    free_gradient, scale, lower, matrix = room[0], room[1], room[2:6], room[6:10]
    for p in range(N_PARAMS):
        is_held = (params[p] <= low[p] and gradient[p] > 0.0) or (
            params[p] >= high[p] and gradient[p] < 0.0
        )
        free_gradient[p] = np.nan if is_held else gradient[p]
        size = math.sqrt(abs(gauss_newton[p, p]))
        scale[p] = 1.0 if is_held or size == 0.0 else size
    edm = 0.0
    for turn in range(2):
        chosen = hessian if turn == 0 else gauss_newton
        for p in range(N_PARAMS):
            for q in range(p + 1):
                is_held = np.isnan(free_gradient[p]) or np.isnan(free_gradient[q])
                matrix[p, q] = (1.0 if p == q else 0.0) if is_held else chosen[p, q]
        right = room[10]
        for p in range(N_PARAMS):
            right[p] = 0.0 if np.isnan(free_gradient[p]) else free_gradient[p]
        if solve_scaled(matrix, scale, damping, right, lower, step):
            for p in range(N_PARAMS):
                step[p] = -step[p]
                edm -= right[p] * step[p]
                step[p] = min(max(params[p] + step[p], low[p]), high[p]) - params[p]
            return edm if turn == 0 else np.inf
    step[:] = 0.0
    return np.inf


@compiled
def descend(
    model: ModelArrays,
    epochs: EpochArrays,
    first: int,
    n: int,
    n_band: int,
    n_column: int,
    z: float,
    params: Floats,
    low: Floats,
    high: Floats,
    prior_mean: Floats,
    prior_ivar: Floats,
    is_free: bool,
    max_steps: int,
    gradient: Floats,
    hessian: Floats,
    space: Space,
) -> tuple:
    """Go down from `params` to the minimum next to it, which then stands there.

    Parameters
    ----------
    model, epochs, first, n, n_band, n_column, z
        As for `chi2.expand`, whose weights must stand.
    params, low, high : NDArray, shape (4,)
        Start, changed; bounds.
    prior_mean, prior_ivar : NDArray, shape (4,)
        Gaussian priors.
    is_free : bool
        Whether x0 and x1 are solved for at every step.
    max_steps : int
        Evaluations allowed.
    gradient, hessian : NDArray
        Those at the minimum.
    space : Space
        With tables and weights.

    Returns
    -------
    tuple of (float, float, int, bool, bool)
        chi2, decrease a further step promises, evaluations, whether it converged, and whether a
        parameter stands at a bound or the minimum at a jump.
    """
    room = space.descent
    trial, there_gradient, step = room[0], room[1], room[2]
    there_hessian, gauss_newton, there_gauss_newton = room[3:7], room[7:11], room[11:15]
    rest = room[15:26]
    for p in range(N_PARAMS):
        params[p] = min(max(params[p], low[p]), high[p])
        step[p] = 0.0
    value, edm, damping = np.inf, np.inf, 10.0 * DAMPING_START
    n_steps, is_done, is_stalled = 0, False, False
    while n_steps < max_steps and not is_done:
        for p in range(N_PARAMS):
            trial[p] = params[p] + step[p]
        there = expand(
            model,
            epochs,
            first,
            n,
            n_band,
            n_column,
            z,
            trial,
            prior_mean,
            prior_ivar,
            is_free,
            there_gradient,
            there_hessian,
            there_gauss_newton,
            space,
        )
        n_steps += 1
        is_better = there <= value + 1e-13 * abs(value) or n_steps == 1
        gain = value - there
        if is_better:
            value = there
            for p in range(N_PARAMS):
                params[p], gradient[p] = trial[p], there_gradient[p]
                for q in range(N_PARAMS):
                    hessian[p, q] = there_hessian[p, q]
                    gauss_newton[p, q] = there_gauss_newton[p, q]
            damping = max(0.1 * damping, 1e-15)
        else:
            damping = max(10.0 * damping + 1e-9, 1e-15)
        edm = plan_step(params, gradient, hessian, gauss_newton, low, high, damping, step, rest)
        is_there = edm < EDM_TOLERANCE and damping < DAMPING_FINAL
        is_crawling = is_better and damping > 100.0 and gain < CRAWL * max(1.0, 0.01 * there)
        is_stalled = (is_crawling or damping > DAMPING_MAX) and not is_there
        is_done = is_there or is_stalled
    at_bound = is_stalled
    for p in range(N_PARAMS):
        at_bound = at_bound or (params[p] <= low[p] and gradient[p] > 0.0)
        at_bound = at_bound or (params[p] >= high[p] and gradient[p] < 0.0)
    return value, edm, n_steps, is_done and np.isfinite(value), at_bound
