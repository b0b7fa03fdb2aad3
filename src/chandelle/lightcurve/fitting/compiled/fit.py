"""Fit of one supernova: starts, race, descent, refits until at rest; `fitting.lanes` as a loop."""

import math

import numpy as np

from chandelle.core.compiled import compiled, compiled_entry
from chandelle.lightcurve.fitting.compiled.arrays import (
    N_PARAMS,
    BandArrays,
    EpochArrays,
    FitChoices,
    Ints,
    Space,
    TargetArrays,
)
from chandelle.lightcurve.fitting.compiled.chi2 import empty_chi2, set_weights
from chandelle.lightcurve.fitting.compiled.descent import descend, solve_scaled
from chandelle.lightcurve.fitting.compiled.starts import (
    count_epochs,
    find_starts,
    start_cost,
)
from chandelle.lightcurve.fitting.compiled.tables import (
    fill_basis,
    find_bands,
    make_errors,
    make_tables,
    set_color,
)
from chandelle.lightcurve.fitting.limits import (
    AT_REST_SIGMA,
    AT_REST_SIGMA_LATE,
    LATE_ROUND,
    MAX_ROUNDS,
    MAX_STEPS,
    RACE_STEPS,
    SAME_MINIMUM_DAYS,
    SETTLING_ROUND,
    TWO_MINIMA_COST,
    part_of_way,
)
from chandelle.lightcurve.fitting.results import FitArrays
from chandelle.physics.compiled.bands import ModelArrays
from chandelle.physics.compiled.grid import Floats

_part_of_way = compiled(part_of_way)


@compiled
def choose_epochs(
    epochs: EpochArrays,
    first: int,
    n: int,
    z: float,
    t0: float,
    low: float,
    high: float,
    space: Space,
) -> int:
    """Mark in ``space.wanted`` the epochs within the range of phases; return how many."""
    count = 0
    for i in range(n):
        phase = (epochs.mjd[first + i] - t0) / (1.0 + z)
        space.wanted[i] = low < phase < high
        count += space.wanted[i]
    return count


@compiled
def distance_moved(new: Floats, old: Floats, hessian: Floats, room: Floats) -> float:
    """Largest change of a parameter in units of its error; zero where there is no error."""
    scale, right, out, lower = room[0], room[1], room[2], room[3:7]
    for p in range(N_PARAMS):
        scale[p] = math.sqrt(hessian[p, p]) if hessian[p, p] > 0.0 else 1.0
    largest = 0.0
    for p in range(N_PARAMS):
        right[:] = 0.0
        right[p] = 1.0
        if not solve_scaled(hessian, scale, 0.0, right, lower, out) or not out[p] > 0.0:
            return 0.0
        largest = max(largest, abs(new[p] - old[p]) / math.sqrt(out[p]))
    return largest


@compiled
def _begin(
    epochs: EpochArrays,
    first: int,
    n: int,
    z: float,
    choices: FitChoices,
    job: int,
    n_race: int,
    best: int,
    params: Floats,
    start: Floats,
    space: Space,
) -> int:
    """Put the start of a descent into `params` and the epochs it takes into ``space.used``.

    Jobs below `n_race` race a start, job `n_race` descends from the best one, later ones refit.

    Returns
    -------
    int
        The number of epochs, or -1 where a refit would take the same ones.
    """
    if job <= n_race:
        for p in range(N_PARAMS):
            params[p] = space.starts[job if job < n_race else best, p]
        low, high = choices.first_low, choices.first_high
        count = choose_epochs(epochs, first, n, z, params[0], low, high, space)
        for i in range(n):
            space.used[i] = space.wanted[i]
        return count
    turn = job - n_race - 1
    low, high = choices.phase_low, choices.phase_high
    count = choose_epochs(epochs, first, n, z, params[0], low, high, space)
    is_same = True
    for i in range(n):
        # Late in the rounds epochs only leave.
        if turn >= SETTLING_ROUND and space.wanted[i] and not space.used[i]:
            space.wanted[i] = False
            count -= 1
        is_same = is_same and space.wanted[i] == space.used[i]
        space.used[i] = space.wanted[i]
    # An answer that goes back and forth is caught between its last start and itself.
    part = _part_of_way(turn)
    for p in range(N_PARAMS):
        start[p] += part * (params[p] - start[p])
    return -1 if is_same else count


@compiled
def _has_rival(n_race: int, best: int, t0: float, space: Space) -> bool:
    """Whether another start ended elsewhere at nearly the same cost."""
    for s in range(n_race):
        is_apart = s != best and abs(space.starts[s, 0] - t0) > SAME_MINIMUM_DAYS
        if is_apart and space.depth[s] < space.depth[best] + TWO_MINIMA_COST:
            return True
    return False


@compiled
def _finish(
    targets: TargetArrays,
    k: int,
    first: int,
    n: int,
    n_race: int,
    at_rest: bool,
    made: float,
    out: FitArrays,
    space: Space,
) -> None:
    """Write what is left of an answer; `made` is negative where there was no start."""
    if made < 0.0:
        out.params[k] = 0.0
        out.chi2[k], out.chi2_empty[k] = 0.0, 0.0
        out.is_converged[k], out.is_at_rest[k] = True, True
        out.used[first : first + n] = True
        return
    out.is_at_rest[k] = at_rest
    for i in range(n):
        out.used[first + i] = space.used[i]
    for p in range(N_PARAMS):
        if targets.prior_ivar[k, p] > 0.0:
            off = out.params[k, p] - targets.prior_mean[k, p]
            out.chi2[k] -= targets.prior_ivar[k, p] * off * off


@compiled_entry
def fit_targets(
    model: ModelArrays,
    bands: BandArrays,
    epochs: EpochArrays,
    targets: TargetArrays,
    choices: FitChoices,
    chosen: Ints,
    out: FitArrays,
    space: Space,
) -> None:
    """Fit the targets of the indices `chosen`, one after the other, and write into `out`.

    Each start gets a few steps without the covariance of the model; the one of least cost goes on
    to the end, and is refitted with that covariance and the range of phases taken at the answer
    before until the epochs stay and the answer rests. The series of the color law is made for
    ``choices.c_series``, and made anew for ``choices.c_max`` where the answer is redder. Without a
    start that holds a supernova x0 is zero.

    All descents go through one call, so that it is compiled once.
    """
    for k in chosen:
        first, z = epochs.first[k], targets.z[k]
        n = epochs.first[k + 1] - first
        n_band = find_bands(epochs, first, n, space)
        params, gradient, hessian = out.params[k], out.gradient[k], out.hessian[k]
        start, room = space.descent[26], space.descent[:7]
        reach, made = min(choices.c_series, choices.c_max), -1.0
        n_race, best, job = np.int64(0), np.int64(0), np.int64(0)
        with_model, at_rest = choices.model_cov, not choices.model_cov
        while True:
            if made != reach:
                make_tables(
                    model, bands, n_band, z, targets.mwebv[k], reach, choices.tolerance, space
                )
                if made < 0.0:
                    low, high = targets.low[k, 0], targets.high[k, 0]
                    n_race = find_starts(
                        model, epochs, first, n, n_band, z, low, high, choices, space
                    )
                    if n_race == 0:
                        break
                    if n_race == 1:
                        n_race = 0
                    if with_model:
                        make_errors(model, bands, n_band, z, space)
                made = reach
            is_refit = job > n_race
            n_used = _begin(epochs, first, n, z, choices, job, n_race, best, params, start, space)
            if is_refit:
                if not out.is_converged[k] or (at_rest and n_used < 0):
                    break
                if job > n_race + MAX_ROUNDS:
                    at_rest = False
                    break
                for p in range(N_PARAMS):
                    params[p] = start[p]
                if 0 <= n_used < N_PARAMS:
                    break
            n_column = set_weights(
                model, epochs, first, n, n_band, z, params, with_model and is_refit, space
            )
            empty = empty_chi2(epochs, first, n, n_column, space)
            chi2, edm, n_steps, is_converged, at_bound = descend(
                model,
                epochs,
                first,
                n,
                n_band,
                n_column,
                z,
                params,
                targets.low[k],
                targets.high[k],
                targets.prior_mean[k],
                targets.prior_ivar[k],
                choices.is_free,
                RACE_STEPS if job < n_race else MAX_STEPS,
                gradient,
                hessian,
                space,
            )
            if job < n_race:
                for p in range(N_PARAMS):
                    space.starts[job, p] = params[p]
                cost = start_cost(model, epochs, first, n, n_band, z, params, space)
                is_fit = count_epochs(epochs, first, n, z, params[0], choices) >= N_PARAMS
                space.depth[job] = cost if is_fit else np.inf
                if space.depth[job] < space.depth[best]:
                    best = job
                job += 1
                continue
            out.chi2[k], out.chi2_empty[k], out.edm[k] = chi2, empty, edm
            out.is_converged[k], out.at_bound[k] = is_converged, at_bound
            out.n_steps[k] += n_steps
            if is_refit:
                out.n_rounds[k] += 1
                limit = AT_REST_SIGMA if job <= n_race + LATE_ROUND else AT_REST_SIGMA_LATE
                is_still = distance_moved(params, start, hessian, room) < limit
                at_rest = is_still or not with_model
            elif abs(params[3]) > reach and reach < choices.c_max:
                reach = choices.c_max
                continue
            else:
                out.has_rival[k] = _has_rival(n_race, best, params[0], space)
                for p in range(N_PARAMS):
                    start[p] = params[p]
            job += 1
        _finish(targets, k, first, n, n_race, at_rest, made, out, space)


@compiled_entry
def flux_targets(
    model: ModelArrays,
    bands: BandArrays,
    epochs: EpochArrays,
    targets: TargetArrays,
    tolerance: float,
    params: Floats,
    out: Floats,
    space: Space,
) -> None:
    """Write the model flux of every epoch at the parameters of its target into `out`."""
    for k in range(len(targets.z)):
        first, z = epochs.first[k], targets.z[k]
        n = epochs.first[k + 1] - first
        n_band = find_bands(epochs, first, n, space)
        reach = abs(params[k, 3])
        make_tables(model, bands, n_band, z, targets.mwebv[k], reach, tolerance, space)
        for i in range(n):
            space.used[i] = True
        set_color(len(model.phase), n_band, params[k, 3], space)
        fill_basis(model, epochs, first, n, z, params[k, 0], space)
        for i in range(n):
            pair = space.basis[i, 0] + params[k, 2] * space.basis[i, 1]
            out[first + i] = params[k, 1] * pair
