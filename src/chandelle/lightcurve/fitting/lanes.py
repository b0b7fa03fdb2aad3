"""The JAX engine: supernovae in batches of lanes, for a GPU."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from chandelle.lightcurve.fitting.answers import Answers, covariance_of
from chandelle.lightcurve.fitting.batch import Batch, make_batches
from chandelle.lightcurve.fitting.chi2 import Epochs
from chandelle.lightcurve.fitting.kernels import (
    Light,
    descend,
    make_errors,
    make_tables,
    scan_starts,
    start_costs,
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
from chandelle.lightcurve.fitting.problem import C_SERIES, FitProblem
from chandelle.lightcurve.fitting.results import FitArrays
from chandelle.physics.salt import SaltModel
from chandelle.physics.salt_bands import BandTable
from chandelle.physics.salt_covariance import BandErrors

Descend = Callable[[NDArray[np.float64], NDArray[np.bool_]], Answers]
"""From a start and the epochs in use, one row a lane, to where the descent ended."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchResult:
    """Answers of the lanes of a batch.

    Attributes
    ----------
    answer : Answers
        One a lane.
    has_rival : NDArray, shape (lane,)
        Whether another minimum in t0 cost as much to within 4 before the refits.
    used : NDArray, shape (lane, obs)
        Epochs in the last fit.
    n_rounds : NDArray, shape (lane,)
        Refits done.
    is_at_rest : NDArray, shape (lane,)
        Whether they came to an end.
    """

    answer: Answers
    has_rival: NDArray[np.bool_]
    used: NDArray[np.bool_]
    n_rounds: NDArray[np.int64]
    is_at_rest: NDArray[np.bool_]


def fit_lanes(problem: FitProblem, *, progress: Callable[[int], None] | None = None) -> FitArrays:
    """Fit every supernova.

    Parameters
    ----------
    problem : FitProblem
        What to fit, and how.
    progress : callable, optional
        Called with the number done since the last call.

    Returns
    -------
    FitArrays
        One row a supernova.
    """
    out = FitArrays.blank(len(problem), len(problem.epochs.mjd))
    for batch in make_batches(problem.epochs):
        write_batch(out, batch, fit_batch(problem, batch))
        if progress is not None:
            progress(batch.n_real)
    return out


def write_batch(out: FitArrays, batch: Batch, result: BatchResult) -> None:
    """Write the answers of a batch to their rows."""
    rows, real = batch.target[: batch.n_real], slice(0, batch.n_real)
    for name in ("params", "hessian", "gradient", "chi2", "chi2_empty", "edm", "n_steps"):
        getattr(out, name)[rows] = getattr(result.answer, name)[real]
    out.is_converged[rows] = result.answer.is_converged[real]
    out.at_bound[rows] = result.answer.at_bound[real]
    for name in ("has_rival", "n_rounds", "is_at_rest"):
        getattr(out, name)[rows] = getattr(result, name)[real]
    is_epoch = batch.row[real] >= 0
    out.used[batch.row[real][is_epoch]] = result.used[real][is_epoch]


def batch_light(problem: FitProblem, batch: Batch, *, wide: bool = False) -> Light:
    """Give the passbands of a batch, with a series of the color law short or up to the bound."""
    settings = problem.settings
    return Light(
        wave=problem.bands.wave,
        weight=problem.bands.weight,
        passband=jnp.asarray(batch.passband),
        z=jnp.asarray(problem.z[batch.target]),
        mwebv=jnp.asarray(problem.mwebv[batch.target]),
        r_v=jnp.asarray(settings.r_v),
        dust=settings.dust,
        terms=problem.terms_wide if wide else problem.terms,
    )


def batch_epochs(problem: FitProblem, batch: Batch) -> Epochs:
    """Give the data of a batch with bounds and priors; leading axis lane."""
    own = problem.constraints.take(batch.target)
    return Epochs(
        mjd=jnp.asarray(batch.mjd),
        flux=jnp.asarray(batch.flux),
        ivar=jnp.asarray(batch.ivar),
        factor=jnp.asarray(batch.factor),
        band=jnp.asarray(batch.band),
        z=jnp.asarray(problem.z[batch.target]),
        low=jnp.asarray(own.low),
        high=jnp.asarray(own.high),
        prior_mean=jnp.asarray(own.mean),
        prior_ivar=jnp.asarray(own.ivar),
    )


def fit_batch(problem: FitProblem, batch: Batch) -> BatchResult:
    """Fit the light curves of a batch, t0, x0, x1 and c.

    With `model_cov` or a `phase_range` each is refitted, the model covariance and the range of
    phases taken at the answer before, until the epochs are the same and no parameter moves by more
    than `AT_REST_SIGMA`. After a few rounds epochs only leave, so that the rounds end.

    Parameters
    ----------
    problem : FitProblem
        All of it.
    batch : Batch
        The supernovae to fit.

    Returns
    -------
    BatchResult
        One answer a lane.
    """
    model, settings, bands = problem.model, problem.settings, problem.bands
    tables = make_tables(model, batch_light(problem, batch))
    epochs = batch_epochs(problem, batch)
    answer, has_rival, used = first_fit(
        model,
        tables,
        epochs,
        phase_range=settings.phase_range,
        first_range=problem.first_range,
    )
    is_red = np.abs(answer.params[:, 3]) > C_SERIES
    if is_red.any() and problem.terms_wide > problem.terms:
        tables = make_tables(model, batch_light(problem, batch, wide=True))
        new = _descend(model, tables, None, masked(epochs, used), answer.params, MAX_STEPS)
        answer = new.where(is_red, answer)
    errors = None
    if settings.model_cov:
        passband = jnp.asarray(batch.passband)
        errors = make_errors(model, bands.curve, bands.lengths, passband, epochs.z)

    def refit(start: NDArray[np.float64], used: NDArray[np.bool_]) -> Answers:
        return _descend(model, tables, errors, masked(epochs, used), start, MAX_STEPS)

    first = BatchResult(
        answer=answer,
        has_rival=has_rival,
        used=used,
        n_rounds=np.zeros(len(used), np.int64),
        is_at_rest=np.full(len(used), not settings.model_cov, dtype=np.bool_),
    )

    def select(params: NDArray[np.float64]) -> NDArray[np.bool_]:
        return in_phase(epochs, params, settings.phase_range)

    return refit_to_rest(first, refit, select)


def _descend(
    model: SaltModel,
    tables: BandTable,
    errors: BandErrors | None,
    epochs: Epochs,
    start: NDArray[np.float64],
    max_steps: int,
) -> Answers:
    """Descend in every lane."""
    steps = jnp.asarray(max_steps)
    return Answers.of(descend(model, tables, errors, epochs, jnp.asarray(start), steps))


def first_fit(
    model: SaltModel,
    tables: BandTable,
    epochs: Epochs,
    *,
    phase_range: tuple[float, float] | None,
    first_range: tuple[float, float] | None,
) -> tuple[Answers, NDArray[np.bool_], NDArray[np.bool_]]:
    """Fit without model covariance: a short race of the starts, then the winner to the end.

    Each start is fitted to the epochs within `first_range` of its own time of maximum;
    `guess.epoch_cost` compares those that keep enough epochs within `phase_range`.

    Parameters
    ----------
    model, tables, epochs
        Model, band tables and data of the lanes.
    phase_range, first_range : (float, float), optional
        Rest-frame days about maximum, in the end and until the first answer is known.

    Returns
    -------
    answer : Answers
        One a lane.
    has_rival : NDArray, shape (lane,)
        Whether another minimum costs as much to within 4.
    used : NDArray, shape (lane, obs)
        Epochs in the fit.
    """
    low, high = (jnp.asarray(float(end)) for end in phase_range or (-np.inf, np.inf))
    starts, is_start = (np.asarray(a) for a in scan_starts(model, tables, epochs, (low, high)))
    raced, costs = [], []
    for k in range(starts.shape[1]):
        if k == 0 or is_start[:, k].any():
            near = in_phase(epochs, starts[:, k], first_range)
            own = masked(epochs, near)
            params = _descend(model, tables, None, own, starts[:, k], RACE_STEPS).params
            n_epoch = in_phase(epochs, params, phase_range).sum(axis=1)
            is_usable = is_start[:, k] & (params[:, 1] > 0) & (n_epoch >= params.shape[1])
            cost = np.asarray(start_costs(model, tables, epochs, jnp.asarray(params)))
            raced.append(params)
            costs.append(np.where(is_usable, cost, np.inf))
    params, cost = np.stack(raced), np.stack(costs)
    lane, winner = np.arange(params.shape[1]), np.argmin(cost, axis=0)
    best = params[winner, lane]
    used = in_phase(epochs, best, first_range)
    answer = _descend(model, tables, None, masked(epochs, used), best, MAX_STEPS)
    is_apart = np.abs(params[:, :, 0] - answer.params[None, :, 0]) > SAME_MINIMUM_DAYS
    is_apart[winner, lane] = False
    is_close = cost < cost[winner, lane] + TWO_MINIMA_COST
    has_rival = np.asarray((is_apart & is_close).any(axis=0), dtype=np.bool_)
    return answer, has_rival, used


def refit_to_rest(
    first: BatchResult,
    refit: Descend,
    select: Callable[[NDArray[np.float64]], NDArray[np.bool_]],
) -> BatchResult:
    """Refit each lane until its epochs stay and its answer is where the model error was taken.

    An answer that goes back and forth is caught by starting between its last start and itself.

    Parameters
    ----------
    first : BatchResult
        Answers to start from.
    refit : callable
        The descent.
    select : callable
        From answers to the epochs that belong to them, one row a lane.

    Returns
    -------
    BatchResult
        At rest, or after `MAX_ROUNDS`.
    """
    answer, used, n_rounds, at_rest = first.answer, first.used, first.n_rounds, first.is_at_rest
    needs_move = ~at_rest
    start = answer.params
    for turn in range(MAX_ROUNDS):
        wanted = select(answer.params)
        if turn >= SETTLING_ROUND:
            wanted &= used
        is_fit = answer.is_converged & (answer.params[:, 1] > 0)
        again = is_fit & (~at_rest | (wanted != used).any(axis=1))
        if not again.any():
            break
        used = np.where(again[:, None], wanted, used)
        start = start + part_of_way(turn) * (answer.params - start)
        new = refit(start, used)
        limit = AT_REST_SIGMA if turn < LATE_ROUND else AT_REST_SIGMA_LATE
        is_still = (_moved(new, start) < limit) | ~needs_move
        answer = new.where(again, answer)
        n_rounds = n_rounds + again
        at_rest = np.where(again, is_still, at_rest)
    else:
        wanted = select(answer.params)
        at_rest = at_rest & (wanted & used == used).all(axis=1)
    return replace(first, answer=answer, used=used, n_rounds=n_rounds, is_at_rest=at_rest)


def in_phase(
    epochs: Epochs,
    params: NDArray[np.float64],
    phase_range: tuple[float, float] | None,
) -> NDArray[np.bool_]:
    """Epochs of each lane that lie within a range of phases about an answer."""
    real = np.asarray(epochs.ivar) > 0
    if phase_range is None:
        return real
    phase = (np.asarray(epochs.mjd) - params[:, :1]) / (1 + np.asarray(epochs.z)[:, None])
    return real & (phase > phase_range[0]) & (phase < phase_range[1])


def masked(epochs: Epochs, used: NDArray[np.bool_]) -> Epochs:
    """Take the weight of the epochs that are not used."""
    return eqx.tree_at(lambda e: e.ivar, epochs, epochs.ivar * jnp.asarray(used, dtype=float))


def _moved(new: Answers, start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest distance from the start in units of the error."""
    error = np.sqrt(np.diagonal(covariance_of(new.hessian), axis1=1, axis2=2))
    with np.errstate(invalid="ignore"):
        moved = np.abs(new.params - start) / error
    return np.where(np.isnan(moved).any(axis=1), 0.0, np.nanmax(np.nan_to_num(moved), axis=1))
