"""Fits of a batch of light curves: first without model covariance, then refitted until at rest."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from chandelle.lightcurve.fitting.answers import Answers, errors_of, natural
from chandelle.lightcurve.fitting.bands import BandSet
from chandelle.lightcurve.fitting.batch import Batch
from chandelle.lightcurve.fitting.fit import Epochs
from chandelle.lightcurve.fitting.kernels import descend, make_errors, make_tables, scan_starts
from chandelle.physics.dust import DustLaw
from chandelle.physics.salt import SaltModel
from chandelle.physics.salt_bands import BandTable

MAX_ROUNDS = 20
AT_REST_SIGMA, AT_REST_SIGMA_LATE = 0.01, 0.1
"""A refit that moves no parameter by more than this ends the rounds; the second in late rounds."""
MAX_STEPS = 100
RACE_STEPS = 10
"""Evaluations given to each start before the best one goes on alone."""
PHASE_MARGIN = 5.0
SAME_MINIMUM_DAYS = 0.1
TWO_MINIMA_CHI2 = 4.0
_SETTLING_ROUND = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """What the batched fit needs to know, as plain values."""

    model_cov: bool
    dust: DustLaw
    r_v: float
    phase_range: tuple[float, float] | None
    c_max: float
    terms: int
    terms_wide: int
    c_series: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchResult:
    """Answers of the lanes of a batch.

    Attributes
    ----------
    answer : Answers
        One a lane.
    has_rival : NDArray, shape (lane,)
        Whether another minimum in t0 lay within chi2 + 4 before the refits.
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


def batch_tables(
    model: SaltModel,
    bands: BandSet,
    batch: Batch,
    *,
    z: NDArray[np.float64],
    mwebv: NDArray[np.float64],
    settings: FitSettings,
    wide: bool = False,
) -> BandTable:
    """Band tables of the lanes of a batch.

    Parameters
    ----------
    model, bands, batch
        Model, passbands and light curves.
    z, mwebv : NDArray, shape (target,)
        Of all targets.
    settings : FitSettings
        Dust law and numbers of terms.
    wide : bool
        Make the series long enough for the bound of c.

    Returns
    -------
    BandTable
        Leading axes lane, band.
    """
    return make_tables(
        model,
        bands.wave,
        bands.weight,
        jnp.asarray(batch.passband),
        jnp.asarray(z[batch.target]),
        jnp.asarray(mwebv[batch.target]),
        jnp.asarray(settings.r_v),
        settings.dust,
        settings.terms_wide if wide else settings.terms,
    )


def batch_epochs(model: SaltModel, batch: Batch, *, z: NDArray[np.float64], c_max: float) -> Epochs:
    """Give the data of a batch with the bounds: t0 such that model and data overlap, c in +- c_max.

    Parameters
    ----------
    model, batch
        Model and light curves.
    z : NDArray, shape (target,)
        Redshifts of all targets.
    c_max : float
        Bound of the absolute color.

    Returns
    -------
    Epochs
        Leading axis lane.
    """
    z = z[batch.target]
    first, last = np.asarray(model.surfaces.phase)[[0, -1]]
    wide = np.full(len(z), np.inf)
    low = np.stack([batch.mjd.min(1) - last * (1 + z), -wide, -wide, 0 * z - c_max], axis=1)
    high = np.stack([batch.mjd.max(1) - first * (1 + z), wide, wide, 0 * z + c_max], axis=1)
    return Epochs(
        mjd=jnp.asarray(batch.mjd),
        flux=jnp.asarray(batch.flux),
        ivar=jnp.asarray(batch.ivar),
        band=jnp.asarray(batch.band),
        z=jnp.asarray(z),
        low=jnp.asarray(low),
        high=jnp.asarray(high),
    )


def _descend(
    model: SaltModel,
    tables: BandTable,
    errors: Any,
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
) -> tuple[Answers, NDArray[np.bool_], NDArray[np.bool_]]:
    """Fit without model covariance: a short race of the starts, then the winner to the end.

    Starts are compared by how much of the chi2 of an empty model they explain, each over the epochs
    within `phase_range`, and a margin for its change, of its own time of maximum.

    Parameters
    ----------
    model, tables, epochs
        Model, band tables and data of the lanes.
    phase_range : (float, float), optional
        Rest-frame days about maximum.

    Returns
    -------
    answer : Answers
        One a lane.
    has_rival : NDArray, shape (lane,)
        Whether another minimum lies within chi2 + 4.
    used : NDArray, shape (lane, obs)
        Epochs in the fit.
    """
    starts, is_start = (np.asarray(a) for a in scan_starts(model, tables, epochs))
    raced = []
    for k in range(starts.shape[1]):
        if k == 0 or is_start[:, k].any():
            near = _in_phase(epochs, starts[:, k], phase_range, margin=PHASE_MARGIN)
            masked = _masked(epochs, near)
            raced.append(_descend(model, tables, None, masked, starts[:, k], RACE_STEPS))
    params = np.stack([answer.params for answer in raced])
    is_usable = is_start[:, : len(raced)].T & (params[:, :, 1] > 0)
    gain = np.where(is_usable, np.stack([a.chi2_empty - a.chi2 for a in raced]), -np.inf)
    best = params[np.argmax(gain, axis=0), np.arange(params.shape[1])]
    used = _in_phase(epochs, best, phase_range, margin=PHASE_MARGIN)
    answer = _descend(model, tables, None, _masked(epochs, used), best, MAX_STEPS)
    is_apart = np.abs(params[:, :, 0] - answer.params[None, :, 0]) > SAME_MINIMUM_DAYS
    is_close = gain > (answer.chi2_empty - answer.chi2)[None] - TWO_MINIMA_CHI2
    has_rival = np.asarray((is_apart & is_close).any(axis=0), dtype=np.bool_)
    return answer, has_rival, used


def fit_batch(
    model: SaltModel,
    bands: BandSet,
    batch: Batch,
    *,
    z: NDArray[np.float64],
    mwebv: NDArray[np.float64],
    settings: FitSettings,
) -> BatchResult:
    """Fit the light curves of a batch.

    With `model_cov` or a `phase_range` each is refitted, the model covariance and the range of
    phases taken at the answer before, until the epochs are the same and no parameter moves by more
    than `AT_REST_SIGMA`. After a few rounds epochs only leave, so that the rounds end.

    Parameters
    ----------
    model, bands, batch
        Model, passbands and light curves.
    z, mwebv : NDArray, shape (target,)
        Redshift and Milky Way E(B-V) of all targets.
    settings : FitSettings
        Choices.

    Returns
    -------
    BatchResult
        One answer a lane.
    """
    tables = batch_tables(model, bands, batch, z=z, mwebv=mwebv, settings=settings)
    epochs = batch_epochs(model, batch, z=z, c_max=settings.c_max)
    answer, has_rival, used = first_fit(model, tables, epochs, phase_range=settings.phase_range)
    is_red = np.abs(answer.params[:, 3]) > settings.c_series
    if is_red.any() and settings.terms_wide > settings.terms:
        tables = batch_tables(model, bands, batch, z=z, mwebv=mwebv, settings=settings, wide=True)
        new = _descend(model, tables, None, _masked(epochs, used), answer.params, MAX_STEPS)
        answer = new.where(is_red, answer)
    errors = None
    if settings.model_cov:
        passband = jnp.asarray(batch.passband)
        errors = make_errors(model, bands.curve, bands.lengths, passband, epochs.z)

    def refit(start: NDArray[np.float64], used: NDArray[np.bool_]) -> Answers:
        return _descend(model, tables, errors, _masked(epochs, used), start, MAX_STEPS)

    def in_phase(params: NDArray[np.float64]) -> NDArray[np.bool_]:
        return _in_phase(epochs, params, settings.phase_range)

    first = BatchResult(
        answer=answer,
        has_rival=has_rival,
        used=used,
        n_rounds=np.zeros(len(used), np.int64),
        is_at_rest=np.full(len(used), not settings.model_cov, dtype=np.bool_),
    )
    return _refit_to_rest(first, refit, in_phase)


def _refit_to_rest(
    first: BatchResult,
    refit: Callable[[NDArray[np.float64], NDArray[np.bool_]], Answers],
    in_phase: Callable[[NDArray[np.float64]], NDArray[np.bool_]],
) -> BatchResult:
    """Refit each lane until its epochs stay and its answer is where the model error was taken.

    An answer that goes back and forth is caught by starting from the middle of its last two.
    """
    answer, used, n_rounds, at_rest = first.answer, first.used, first.n_rounds, first.is_at_rest
    needs_move = ~at_rest
    start = answer.params
    for turn in range(MAX_ROUNDS):
        wanted = in_phase(answer.params)
        if turn >= _SETTLING_ROUND:
            wanted &= used
        is_fit = answer.is_converged & (answer.params[:, 1] > 0)
        again = is_fit & (~at_rest | (wanted != used).any(axis=1))
        if not again.any():
            break
        used = np.where(again[:, None], wanted, used)
        middle = 0.5 * (start + answer.params)
        start = middle if turn >= _SETTLING_ROUND else answer.params
        new = refit(start, used)
        limit = AT_REST_SIGMA if turn < 2 * _SETTLING_ROUND else AT_REST_SIGMA_LATE
        is_still = (_moved(new, start) < limit) | ~needs_move
        answer = new.where(again, answer)
        n_rounds = n_rounds + again
        at_rest = np.where(again, is_still, at_rest)
    else:
        at_rest = at_rest & (in_phase(answer.params) & used == used).all(axis=1)
    return replace(first, answer=answer, used=used, n_rounds=n_rounds, is_at_rest=at_rest)


def _in_phase(
    epochs: Epochs,
    params: NDArray[np.float64],
    phase_range: tuple[float, float] | None,
    *,
    margin: float = 0.0,
) -> NDArray[np.bool_]:
    """Epochs of each lane that lie within a range of phases about an answer."""
    real = np.asarray(epochs.ivar) > 0
    if phase_range is None:
        return real
    phase = (np.asarray(epochs.mjd) - params[:, :1]) / (1 + np.asarray(epochs.z)[:, None])
    return real & (phase > phase_range[0] - margin) & (phase < phase_range[1] + margin)


def _masked(epochs: Epochs, used: NDArray[np.bool_]) -> Epochs:
    return eqx.tree_at(lambda e: e.ivar, epochs, epochs.ivar * jnp.asarray(used, dtype=float))


def _moved(new: Answers, start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest distance from the start in units of the error, over t0, x0, x1 and c."""
    cov = errors_of(new.hessian, new.params)
    error = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
    with np.errstate(invalid="ignore"):
        moved = np.abs(natural(new.params) - natural(start)) / error
    return np.where(np.isnan(moved).any(axis=1), 0.0, np.nanmax(np.nan_to_num(moved), axis=1))
