"""First guess of the time of maximum, the twin of `fitting.guess`."""

import math

import numpy as np

from chandelle.core.compiled import compiled
from chandelle.lightcurve.fitting.compiled.arrays import N_PARAMS, FitChoices, Space, Supernova
from chandelle.lightcurve.fitting.compiled.tables import (
    set_color,
    set_start_colors,
    start_fluxes,
)
from chandelle.lightcurve.fitting.guess import (
    CROWD_DAYS,
    LATE_ERROR,
    MODEL_ERROR,
    N_GRID,
    N_STARTS,
    SIGNAL_MAX,
    START_COLORS,
    WINDOW_DAYS,
    X1_SPREAD,
)
from chandelle.physics.compiled.bands import ModelArrays
from chandelle.physics.compiled.grid import Floats


@compiled
def signal_center(one: Supernova) -> float:
    """Epoch around which most of the signal lies; epochs come in order of time."""
    best, center = -1.0, one.mjd[0]
    reach = CROWD_DAYS * (1.0 + one.z)
    low, high, crowd = 0, 0, 0.0
    for i in range(one.n):
        while high < one.n and one.mjd[high] < one.mjd[i] + reach:
            crowd += _signal(one.flux[high], one.total[high])
            high += 1
        while one.mjd[low] <= one.mjd[i] - reach:
            crowd -= _signal(one.flux[low], one.total[low])
            low += 1
        if crowd > best * (1.0 + 1e-12):
            best, center = crowd, one.mjd[i]
    return center


@compiled
def _signal(flux: float, variance: float) -> float:
    """Squared signal to noise of an epoch, cut."""
    return min(max(flux / math.sqrt(variance), 0.0), SIGNAL_MAX) ** 2


@compiled
def amplitude_fit(one: Supernova, color: int, space: Space) -> tuple:
    """Amplitudes (x0, x0 x1) of one time and color, x1 held loosely, and their chi2."""
    n00, n01, n11, r0, r1 = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(one.n):
        w = 1.0 / one.total[i]
        b0, b1 = space.basis[i, 2 * color], space.basis[i, 2 * color + 1]
        y = one.flux[i]
        n00 += w * b0 * b0
        n01 += w * b0 * b1
        n11 += w * b1 * b1
        r0 += w * b0 * y
        r1 += w * b1 * y
    if n00 <= 0.0 or r0 <= 0.0:
        return 0.0, 0.0, 0.0
    loose = r0 / n00 * X1_SPREAD
    stiff = n11 + 1.0 / (loose * loose)
    det = n00 * stiff - n01 * n01
    if det <= 0.0:
        return 0.0, 0.0, 0.0
    x0 = (stiff * r0 - n01 * r1) / det
    x0x1 = (n00 * r1 - n01 * r0) / det
    if x0 <= 0.0:
        return 0.0, 0.0, 0.0
    chi2 = n00 * x0 * x0 + 2.0 * n01 * x0 * x0x1 + n11 * x0x1 * x0x1 - 2.0 * (x0 * r0 + x0x1 * r1)
    return x0, x0x1, chi2


@compiled
def find_starts(model: ModelArrays, one: Supernova, choices: FitChoices, space: Space) -> int:
    """Put the best local minima in t0 of linear fits into ``space.starts``.

    Each is at the best of `guess.START_COLORS`. Only times count whose window of phases holds
    enough epochs, if any does.

    Returns
    -------
    int
        How many there are, the best one first.
    """
    center = signal_center(one)
    set_start_colors(len(model.phase), one.n_band, space)
    step = (WINDOW_DAYS[1] - WINDOW_DAYS[0]) / (N_GRID - 1)
    count = 0
    for need in range(N_PARAMS, -1, -N_PARAMS):
        for k in range(len(space.depth)):
            space.depth[k] = np.inf
        before, here = np.inf, np.inf
        t0, x0, x1, c = 0.0, 0.0, 0.0, 0.0
        for k in range(N_GRID + 1):
            after, t0_after, x0_after, x1_after, c_after = np.inf, 0.0, 0.0, 0.0, 0.0
            if k < N_GRID:
                t0_after = center + (1.0 + one.z) * (WINDOW_DAYS[0] + k * step)
                t0_after = min(max(t0_after, one.low[0]), one.high[0])
            if k < N_GRID and count_epochs(one, t0_after, choices) >= need:
                start_fluxes(model, one, t0_after, len(START_COLORS), space)
                for a in range(len(START_COLORS)):
                    amplitude, x0x1, chi2 = amplitude_fit(one, a, space)
                    if chi2 < after:
                        after, x0_after, c_after = chi2, amplitude, START_COLORS[a]
                        x1_after = x0x1 / amplitude if amplitude > 0.0 else 0.0
            if k > 0 and here < before and here <= after and x0 > 0.0:
                count = _keep(count, here, t0, x0, x1, c, space)
            before, here = here, after
            t0, x0, x1, c = t0_after, x0_after, x1_after, c_after
        if count > 0:
            break
    return count


@compiled
def count_epochs(one: Supernova, t0: float, choices: FitChoices) -> int:
    """Epochs in the range of phases about a time of maximum."""
    count = 0
    for i in range(one.n):
        phase = (one.mjd[i] - t0) / (1.0 + one.z)
        count += choices.phase_low < phase < choices.phase_high
    return count


@compiled
def _keep(count: int, depth: float, t0: float, x0: float, x1: float, c: float, space: Space) -> int:
    """Put a start in its place among the best ones, in order of depth."""
    at = count
    while at > 0 and space.depth[at - 1] > depth:
        at -= 1
    if at == N_STARTS:
        return count
    for k in range(min(count, N_STARTS - 1), at, -1):
        for p in range(N_PARAMS):
            space.starts[k, p] = space.starts[k - 1, p]
        space.depth[k] = space.depth[k - 1]
    space.depth[at] = depth
    start = space.starts[at]
    start[0], start[1], start[2], start[3] = t0, x0, x1, c
    return min(count + 1, N_STARTS)


@compiled
def start_cost(model: ModelArrays, one: Supernova, params: Floats, space: Space) -> float:
    """Cost over all epochs of the answer that a start led to, the equation of `fitting.guess`."""
    set_color(len(model.phase), one.n_band, params[3], space)
    start_fluxes(model, one, params[0], np.int64(1), space)
    last = model.phase[len(model.phase) - 1]
    cost = (params[2] / X1_SPREAD) ** 2
    for i in range(one.n):
        flux = one.flux[i]
        expected = params[1] * (space.basis[i, 0] + params[2] * space.basis[i, 1])
        late = (one.mjd[i] - params[0]) / (1.0 + one.z) - last
        error = LATE_ERROR if late > 0.0 else MODEL_ERROR
        floor = error * error * (flux * flux + expected * expected)
        cost += (flux - expected) ** 2 / (one.total[i] + floor)
    return cost
