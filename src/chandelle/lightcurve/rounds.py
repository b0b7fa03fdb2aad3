"""Fits of a batch of light curves: first without model covariance, then refitted until at rest."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from chandelle.lightcurve.bands import BandSet
from chandelle.lightcurve.basis import flux_basis, tables_of
from chandelle.lightcurve.batch import Batch
from chandelle.lightcurve.fit import Answer, Epochs, fit_again, fit_from_scratch
from chandelle.physics.dust import DustLaw
from chandelle.physics.salt import SaltModel
from chandelle.physics.salt_bands import BandTable, phase_weights
from chandelle.physics.salt_covariance import BandCurve, BandErrors, band_errors, relative_variance

MAX_ROUNDS = 20
AT_REST_SIGMA = 0.01
"""A refit that moves no parameter by more than this ends the rounds (0.1 would be enough)."""
_SHRINKING_ROUND = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """What the batched fit needs to know, as plain values."""

    model_cov: bool
    dust: DustLaw
    r_v: float
    phase_range: tuple[float, float] | None
    c_max: float
    terms: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchResult:
    """Answers of the lanes of a batch.

    Attributes
    ----------
    answer : Answer
        Leaves are numpy arrays with a leading lane axis.
    used : NDArray, shape (lane, obs)
        Epochs in the last fit.
    n_rounds : NDArray, shape (lane,)
        Refits done.
    is_at_rest : NDArray, shape (lane,)
        Whether they came to an end.
    """

    answer: Answer
    used: NDArray[np.bool_]
    n_rounds: NDArray[np.int64]
    is_at_rest: NDArray[np.bool_]


@eqx.filter_jit
def _make_tables(
    model: SaltModel,
    wave: Float[Array, "stack sample"],
    weight: Float[Array, "stack sample"],
    passband: Int[Array, "lane band"],
    z: Float[Array, " lane"],
    mwebv: Float[Array, " lane"],
    r_v: Float[Array, ""],
    dust: DustLaw,
    terms: int,
) -> BandTable:
    def one(args: tuple[Array, Array, Array]) -> BandTable:
        own, z, mwebv = args
        return tables_of(
            model.surfaces, wave[own], weight[own], z=z, mwebv=mwebv, r_v=r_v, dust=dust,
            terms=terms,
        )

    return jax.lax.map(one, (passband, z, mwebv))


@eqx.filter_jit
def _make_errors(
    model: SaltModel,
    curve: BandCurve,
    lengths: tuple[int, int],
    passband: Int[Array, "lane band"],
    z: Float[Array, " lane"],
) -> BandErrors:
    def one(args: tuple[Array, Array]) -> BandErrors:
        own, z = args
        curves = jax.tree.map(lambda leaf: leaf[own], curve)
        return jax.vmap(
            lambda one: band_errors(model.surfaces, model.errors, one, z=z, lengths=lengths)
        )(curves)

    return jax.lax.map(one, (passband, z))


@eqx.filter_jit
def _first_fit(model: SaltModel, tables: BandTable, epochs: Epochs) -> Answer:
    return jax.vmap(lambda t, e: fit_from_scratch(model.surfaces, t, e))(tables, epochs)


@eqx.filter_jit
def _refit(
    model: SaltModel,
    tables: BandTable,
    errors: BandErrors | None,
    epochs: Epochs,
    start: Float[Array, "lane 4"],
) -> Answer:
    def one(
        table: BandTable, band: BandErrors | None, epochs: Epochs, start: Array
    ) -> Answer:
        variance, common = model_error(model, table, band, epochs, start)
        return fit_again(
            model.surfaces, table, epochs, start=start, variance=variance, common=common
        )

    return jax.vmap(one)(tables, errors, epochs, start)


def model_error(
    model: SaltModel,
    table: BandTable,
    errors: BandErrors | None,
    epochs: Epochs,
    params: Float[Array, " 4"],
) -> tuple[Float[Array, " obs"], Float[Array, " obs"]]:
    """Error of the model's band fluxes at an answer.

    Parameters
    ----------
    model : SaltModel
        The model.
    table, errors, epochs
        Of one supernova; without `errors` the model is taken as exact.
    params : Array, shape (4,)
        (t0, x0, x0 x1, c).

    Returns
    -------
    variance : Array, shape (obs,), nJy^2
        Independent between epochs.
    common : Array, shape (obs,), nJy
        Error shared by the epochs of a band.
    """
    if errors is None:
        return jnp.zeros_like(epochs.flux), jnp.zeros_like(epochs.flux)
    t0, x0, x0x1, c = params
    phase = epochs.phase(t0)
    flux = flux_basis(model.surfaces, table, epochs.band, phase, c).value @ params[1:3]
    own = jax.tree.map(lambda leaf: leaf[epochs.band], errors)
    relative = jax.vmap(lambda band, near, p: relative_variance(
        model.errors, band, near, p, x0x1 / x0))
    variance = relative(own, phase_weights(model.surfaces, phase), phase)
    return variance * flux**2, own.color_dispersion * flux


def batch_tables(
    model: SaltModel,
    bands: BandSet,
    batch: Batch,
    *,
    z: NDArray[np.float64],
    mwebv: NDArray[np.float64],
    settings: FitSettings,
) -> BandTable:
    """Band tables of the lanes of a batch.

    Parameters
    ----------
    model, bands, batch
        Model, passbands and light curves.
    z, mwebv : NDArray, shape (target,)
        Of all targets.
    settings : FitSettings
        Dust law and number of terms.

    Returns
    -------
    BandTable
        Leading axes lane, band.
    """
    return _make_tables(
        model, bands.wave, bands.weight, jnp.asarray(batch.passband), jnp.asarray(z[batch.target]),
        jnp.asarray(mwebv[batch.target]), jnp.asarray(settings.r_v), settings.dust, settings.terms,
    )


def batch_epochs(
    model: SaltModel, batch: Batch, *, z: NDArray[np.float64], c_max: float
) -> Epochs:
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


def errors_of(hessian: NDArray[np.float64], params: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Covariance of (t0, x0, x1, c) from the Hessian of half the chi2 by (t0, x0, x0 x1, c).

    At a minimum the inverse Hessian transforms with the Jacobian alone.

    Parameters
    ----------
    hessian : NDArray, shape (sn, 4, 4)
        At the minimum.
    params : NDArray, shape (sn, 4)
        (t0, x0, x0 x1, c).

    Returns
    -------
    NDArray, shape (sn, 4, 4)
        NaN where the Hessian is not positive or too near to singular.
    """
    diagonal = np.diagonal(hessian, axis1=1, axis2=2)
    usable = (diagonal > 0).all(axis=1) & np.isfinite(hessian).all(axis=(1, 2))
    scale = np.where(usable[:, None], np.sqrt(np.abs(diagonal)), 1.0)
    scale = np.where(scale > 0, scale, 1.0)
    unit = np.where(usable[:, None, None], hessian, np.eye(4))
    unit = unit / (scale[:, :, None] * scale[:, None, :])
    usable &= np.linalg.eigvalsh(unit)[:, 0] > 1e-12
    unit = np.where(usable[:, None, None], unit, np.eye(4))
    cov = np.linalg.inv(unit) / (scale[:, :, None] * scale[:, None, :])
    x0 = np.where(params[:, 1] != 0, params[:, 1], np.nan)
    jacobian = np.broadcast_to(np.eye(4), cov.shape).copy()
    jacobian[:, 2, 1] = -params[:, 2] / x0**2
    jacobian[:, 2, 2] = 1.0 / x0
    cov = np.einsum("sij,sjk,slk->sil", jacobian, cov, jacobian)
    return np.where(usable[:, None, None], cov, np.nan)


def natural(params: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn (t0, x0, x0 x1, c) into (t0, x0, x1, c)."""
    out = params.copy()
    out[:, 2] = params[:, 2] / np.where(params[:, 1] != 0, params[:, 1], np.nan)
    return out


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
    answer = jax.tree.map(np.asarray, _first_fit(model, tables, epochs))
    used = batch.ivar > 0
    n_rounds = np.zeros(len(used), np.int64)
    at_rest = np.full(len(used), not settings.model_cov)
    errors = None
    if settings.model_cov:
        passband = jnp.asarray(batch.passband)
        errors = _make_errors(model, bands.curve, bands.lengths, passband, epochs.z)
    for turn in range(MAX_ROUNDS):
        wanted = _in_phase(batch, z, answer, settings.phase_range)
        if turn >= _SHRINKING_ROUND:
            wanted &= used
        is_fit = answer.is_converged & (answer.params[:, 1] > 0)
        again = is_fit & (~at_rest | (wanted != used).any(axis=1))
        if not again.any():
            break
        used = np.where(again[:, None], wanted, used)
        masked = eqx.tree_at(lambda e: e.ivar, epochs, jnp.asarray(batch.ivar * used))
        start = jnp.asarray(answer.params)
        new = jax.tree.map(np.asarray, _refit(model, tables, errors, masked, start))
        moved = _moved(new, answer)
        answer = _choose(again, new, answer)
        n_rounds += again
        at_rest = np.where(again, (moved < AT_REST_SIGMA) | (not settings.model_cov), at_rest)
    else:
        wanted = _in_phase(batch, z, answer, settings.phase_range) & used
        at_rest &= (wanted == used).all(axis=1)
    return BatchResult(answer=answer, used=used, n_rounds=n_rounds, is_at_rest=at_rest)


def _in_phase(
    batch: Batch, z: NDArray, answer: Answer, phase_range: tuple[float, float] | None
) -> NDArray[np.bool_]:
    real = batch.ivar > 0
    if phase_range is None:
        return real
    phase = (batch.mjd - answer.params[:, :1]) / (1 + z[batch.target][:, None])
    return real & (phase > phase_range[0]) & (phase < phase_range[1])


def _moved(new: Answer, old: Answer) -> NDArray[np.float64]:
    """Largest move in units of the error, over t0, x0, x1 and c."""
    cov = errors_of(new.hessian, new.params)
    error = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
    with np.errstate(invalid="ignore"):
        moved = np.abs(natural(new.params) - natural(old.params)) / error
    return np.where(np.isnan(moved).any(axis=1), 0.0, np.nanmax(np.nan_to_num(moved), axis=1))


def _choose(again: NDArray[np.bool_], new: Answer, old: Answer) -> Answer:
    """Take the new answer where there was a refit; what is known of rivals stays."""

    def choose(a: Any, b: Any) -> NDArray:
        return np.where(again.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    chosen = jax.tree.map(choose, new, old)
    return eqx.tree_at(lambda answer: answer.has_rival, chosen, old.has_rival)
