"""Fit of one supernova: starts, race, descent, refits until at rest; `fitting.lanes` as a loop.

Numbers that are handed on as they stand are ``np.int64`` or ``np.bool_``: numba compiles a function
anew for every literal. Named tuples are taken apart before a loop: one that lives through it has
the references to all its arrays counted.
"""

import math

import numpy as np

from chandelle.core.compiled import clear, compiled, compiled_entry
from chandelle.lightcurve.fitting.compiled.arrays import (
    N_PARAMS,
    BandArrays,
    Bools,
    EpochArrays,
    FitChoices,
    Ints,
    Point,
    Space,
    Supernova,
    TargetArrays,
)
from chandelle.lightcurve.fitting.compiled.chi2 import empty_chi2, set_weights
from chandelle.lightcurve.fitting.compiled.descent import (
    DescentRoom,
    descend,
    descent_room,
    solve_scaled,
)
from chandelle.lightcurve.fitting.compiled.starts import (
    count_epochs,
    find_starts,
    start_cost,
)
from chandelle.lightcurve.fitting.compiled.tables import (
    fill_basis,
    make_errors,
    make_tables,
    set_color,
    supernova_of,
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
def _choose_epochs(
    one: Supernova, t0: float, phase_range: tuple[float, float], marks: Bools
) -> int:
    """Mark the epochs within the range of phases about a time of maximum; return how many."""
    low, high = phase_range
    count = 0
    for i in range(one.n):
        phase = (one.mjd[i] - t0) / (1.0 + one.z)
        marks[i] = low < phase < high
        count += marks[i]
    return count


@compiled
def _distance_moved(new: Floats, old: Floats, hessian: Floats, room: DescentRoom) -> float:
    """Largest change of a parameter in units of its error; zero where there is no error."""
    scale, right, out = room.scale, room.right, room.step
    for p in range(N_PARAMS):
        scale[p] = math.sqrt(hessian[p, p]) if hessian[p, p] > 0.0 else 1.0
    largest = 0.0
    for p in range(N_PARAMS):
        clear(right, len(right))
        right[p] = 1.0
        if not solve_scaled(hessian, scale, 0.0, right, room.lower, out) or not out[p] > 0.0:
            return 0.0
        largest = max(largest, abs(new[p] - old[p]) / math.sqrt(out[p]))
    return largest


@compiled
def _answer_of(one: Supernova, out: FitArrays, space: Space) -> Point:
    """Where the answer of a supernova stands."""
    k = one.target
    return Point(out.params[k], out.gradient[k], out.hessian[k], descent_room(space).gauss_newton)


@compiled
def _go_to_start(
    one: Supernova, start: Floats, choices: FitChoices, params: Floats, space: Space
) -> None:
    """Put a start into `params`, and into ``space.used`` the epochs that a first fit takes."""
    for p in range(N_PARAMS):
        params[p] = start[p]
    phase_range = (choices.first_low, choices.first_high)
    _choose_epochs(one, params[0], phase_range, space.used)


@compiled
def _race(
    model: ModelArrays,
    one: Supernova,
    n_start: int,
    choices: FitChoices,
    here: Point,
    space: Space,
) -> int:
    """Give each start a few steps, which ``space.starts`` then has behind it; return the best.

    Its cost, in ``space.depth``, is infinite where it leads away from the epochs.
    """
    best = 0
    for s in range(n_start):
        _go_to_start(one, space.starts[s], choices, here.params, space)
        n_column = set_weights(model, one, here.params, np.bool_(False), space)
        descend(model, one, n_column, np.int64(RACE_STEPS), here, space)
        for p in range(N_PARAMS):
            space.starts[s, p] = here.params[p]
        cost = start_cost(model, one, here.params, space)
        is_fit = count_epochs(one, here.params[0], choices) >= N_PARAMS
        space.depth[s] = cost if is_fit else np.inf
        if space.depth[s] < space.depth[best]:
            best = s
    return best


@compiled
def _fit_used(
    model: ModelArrays, one: Supernova, model_cov: bool, out: FitArrays, space: Space
) -> None:
    """Descend from the parameters that stand in `out`, with the epochs in use."""
    k, here = one.target, _answer_of(one, out, space)
    n_column = set_weights(model, one, here.params, model_cov, space)
    out.chi2_empty[k] = empty_chi2(one, n_column, space)
    end = descend(model, one, n_column, np.int64(MAX_STEPS), here, space)
    out.chi2[k], out.edm[k] = end.chi2, end.edm
    out.is_converged[k], out.at_bound[k] = end.is_converged, end.at_bound
    out.n_steps[k] += end.n_steps


@compiled
def _has_rival(n_start: int, best: int, t0: float, space: Space) -> bool:
    """Whether another start ended elsewhere at nearly the same cost."""
    for s in range(n_start):
        is_apart = s != best and abs(space.starts[s, 0] - t0) > SAME_MINIMUM_DAYS
        if is_apart and space.depth[s] < space.depth[best] + TWO_MINIMA_COST:
            return True
    return False


@compiled
def _choose_again(
    one: Supernova, t0: float, is_late: bool, choices: FitChoices, space: Space
) -> tuple[int, bool]:
    """Put the epochs about an answer into use; how many, and whether they are the same as before.

    Where `is_late` epochs only leave.
    """
    phase_range = (choices.phase_low, choices.phase_high)
    count = _choose_epochs(one, t0, phase_range, space.wanted)
    is_same = True
    for i in range(one.n):
        if is_late and space.wanted[i] and not space.used[i]:
            space.wanted[i] = False
            count -= 1
        is_same = is_same and space.wanted[i] == space.used[i]
        space.used[i] = space.wanted[i]
    return count, is_same


@compiled
def _refit_to_rest(
    model: ModelArrays, one: Supernova, choices: FitChoices, out: FitArrays, space: Space
) -> bool:
    """Refit until the epochs stay and the answer rests; return whether they came to that.

    An answer that goes back and forth is caught by starting between its last start and itself.
    """
    k, room, with_model = one.target, descent_room(space), choices.model_cov
    params, start, at_rest = out.params[k], room.start, not with_model
    for p in range(N_PARAMS):
        start[p] = params[p]
    for turn in range(MAX_ROUNDS + 1):
        is_late = turn >= SETTLING_ROUND
        n_used, is_same = _choose_again(one, params[0], is_late, choices, space)
        is_done = not out.is_converged[k] or (at_rest and is_same)
        if is_done or turn == MAX_ROUNDS:
            return at_rest and is_done
        part = _part_of_way(turn)
        for p in range(N_PARAMS):
            start[p] += part * (params[p] - start[p])
            params[p] = start[p]
        if n_used < N_PARAMS and not is_same:
            return at_rest
        _fit_used(model, one, with_model, out, space)
        out.n_rounds[k] += 1
        limit = AT_REST_SIGMA if turn < LATE_ROUND else AT_REST_SIGMA_LATE
        at_rest = not with_model or _distance_moved(params, start, out.hessian[k], room) < limit
    return at_rest


@compiled
def _finish(one: Supernova, out: FitArrays, space: Space) -> None:
    """Write which epochs are in use, and take the priors out of chi2."""
    k = one.target
    for i in range(one.n):
        out.used[one.first + i] = space.used[i]
    for p in range(N_PARAMS):
        if one.prior_ivar[p] > 0.0:
            off = out.params[k, p] - one.prior_mean[p]
            out.chi2[k] -= one.prior_ivar[p] * off * off


@compiled
def _write_nothing(one: Supernova, out: FitArrays) -> None:
    """Write the answer where no start holds a supernova: none is there."""
    k = one.target
    clear(out.params[k], out.params.shape[1])
    out.chi2[k], out.chi2_empty[k] = 0.0, 0.0
    out.is_converged[k], out.is_at_rest[k] = True, True
    for i in range(one.n):
        out.used[one.first + i] = True


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
    """
    for k in chosen:
        one = supernova_of(epochs, targets, k, space)
        here = _answer_of(one, out, space)
        reach = min(choices.c_series, choices.c_max)
        make_tables(model, bands, one, reach, choices.tolerance, space)
        n_start = find_starts(model, one, choices, space)
        if n_start == 0:
            _write_nothing(one, out)
            continue
        best = _race(model, one, n_start, choices, here, space) if n_start > 1 else 0
        _go_to_start(one, space.starts[best], choices, here.params, space)
        _fit_used(model, one, np.bool_(False), out, space)
        if abs(here.params[3]) > reach and reach < choices.c_max:
            make_tables(model, bands, one, choices.c_max, choices.tolerance, space)
            _go_to_start(one, space.starts[best], choices, here.params, space)
            _fit_used(model, one, np.bool_(False), out, space)
        out.has_rival[k] = _has_rival(n_start, best, here.params[0], space)
        if choices.model_cov:
            make_errors(model, bands, one, space)
        out.is_at_rest[k] = _refit_to_rest(model, one, choices, out, space)
        _finish(one, out, space)


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
        one = supernova_of(epochs, targets, k, space)
        make_tables(model, bands, one, abs(params[k, 3]), tolerance, space)
        for i in range(one.n):
            space.used[i] = True
        set_color(len(model.phase), one.n_band, params[k, 3], space)
        fill_basis(model, one, params[k, 0], space)
        for i in range(one.n):
            pair = space.basis[i, 0] + params[k, 2] * space.basis[i, 1]
            out[one.first + i] = params[k, 1] * pair
