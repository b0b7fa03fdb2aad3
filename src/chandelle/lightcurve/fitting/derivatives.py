r"""How an answer moves with calibration, by the implicit function theorem.

The answer :math:`\hat\theta` makes :math:`g(\theta, u) = \partial_\theta \tfrac12 \chi^2` zero, so

.. math:: d\hat\theta/du = -(dg/d\theta)^{-1}\, \partial g/\partial u

With a model covariance g holds it fixed, but the refits carry it along: then the derivatives of g
by :math:`\theta` and u include those of the covariance, which moves with passbands and a free
redshift. A parameter that its bound holds does not move, and the others move as if it were not
fitted.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import NDArray

from chandelle.core.threads import usable_threads
from chandelle.core.units import LN10_OVER_2P5
from chandelle.lightcurve.fitting.batch import Batch, make_batches
from chandelle.lightcurve.fitting.chi2 import Epochs, ModelErrors, model_flux, weights_of
from chandelle.lightcurve.fitting.extended import expand_near, extras_of, tables_at
from chandelle.lightcurve.fitting.kernels import Light, errors_of_bands, model_errors
from chandelle.lightcurve.fitting.lanes import batch_epochs, batch_light, masked
from chandelle.lightcurve.fitting.newton import held
from chandelle.lightcurve.fitting.problem import FitProblem
from chandelle.physics.salt import SaltModel
from chandelle.physics.salt_bands import BandTable
from chandelle.physics.salt_covariance import BandCurve, BandErrors
from chandelle.products.passband import filter_of

COLOR_TERMS = 3
"""Taylor terms of the color law about the answer's color: value, slope and bend are exact."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnswerDerivatives:
    """Derivatives of (t0, x0, x1, c) and what else was fitted.

    Attributes
    ----------
    bands : tuple of str
        Names of the bands; passbands of one name at several positions move together.
    by_zp : NDArray, shape (sn, band, param), 1/mag
        By the zero point of a band: fluxes and errors change by -0.92 of themselves per mag.
    by_wave : NDArray, shape (sn, band, param), 1/angstrom
        By a shift of a passband to the red at fixed AB fluxes.
    by_mode : NDArray, shape (sn, mode, param)
        By the calibration modes of the light curves.
    """

    bands: tuple[str, ...]
    by_zp: NDArray[np.float64]
    by_wave: NDArray[np.float64]
    by_mode: NDArray[np.float64]


class Nudges(eqx.Module):
    """Small changes of the calibration of one supernova: zero points, shifts, modes."""

    zp: Float[Array, "*lane band"]
    wave: Float[Array, "*lane band"]
    mode: Float[Array, "*lane mode"]


def answer_derivatives(
    problem: FitProblem,
    params: NDArray[np.float64],
    gradient: NDArray[np.float64],
    used: NDArray[np.bool_],
    modes: NDArray[np.float64],
    *,
    threads: int | None = None,
) -> AnswerDerivatives:
    """Derivatives of all answers.

    Parameters
    ----------
    problem : FitProblem
        What was fitted.
    params : NDArray, shape (sn, param)
        The answers.
    gradient : NDArray, shape (sn, param)
        Derivatives of half the chi2 there, which are not zero at a bound.
    used : NDArray, shape (obs,)
        The epochs in the fits.
    modes : NDArray, shape (obs, mode), nJy
        Derivatives of the fluxes by the modes.
    threads : int, optional
        Threads to use; one a core if absent.

    Returns
    -------
    AnswerDerivatives
        NaN where the answer is.
    """
    names = [filter_of(band.name) for band in problem.bands.passbands]
    groups, group_of = np.unique(names, return_inverse=True)
    n, n_group, n_mode = len(problem), len(groups), modes.shape[1]
    n_param = len(problem.constraints.names)
    by_band = np.zeros((2, n, n_group, n_param))
    by_mode = np.zeros((n, n_mode, n_param))

    def derive(batch: Batch) -> _Slopes:
        own = (params[batch.target], gradient[batch.target])
        return jax.block_until_ready(_derive_batch(problem, batch, *own, used, modes))

    batches = list(make_batches(problem.epochs))
    with ThreadPoolExecutor(usable_threads(threads)) as pool:
        for batch, found in zip(batches, pool.map(derive, batches), strict=True):
            real = slice(0, batch.n_real)
            rows = batch.target[real]
            by_mode[rows] = np.asarray(found.mode)[real]
            # Passbands that only pad a lane have no epochs, hence no derivative.
            where = (rows[:, None], group_of[batch.passband[real]])
            np.add.at(by_band[0], where, np.asarray(found.zp)[real])
            np.add.at(by_band[1], where, np.asarray(found.wave)[real])
    return AnswerDerivatives(
        bands=tuple(groups.tolist()), by_zp=by_band[0], by_wave=by_band[1], by_mode=by_mode
    )


class _Slopes(eqx.Module):
    """Derivatives of the answers of the lanes."""

    zp: Float[Array, "*lane band param"]
    wave: Float[Array, "*lane band param"]
    mode: Float[Array, "*lane mode param"]


def _derive_batch(
    problem: FitProblem,
    batch: Batch,
    params: NDArray[np.float64],
    gradient: NDArray[np.float64],
    used: NDArray[np.bool_],
    modes: NDArray[np.float64],
) -> _Slopes:
    """Derivatives of the lanes of one batch; `params` and `gradient` are theirs."""
    is_epoch = batch.row >= 0
    return lane_derivatives(
        problem.model,
        batch_light(problem, batch, wide=True),
        problem.bands.curve if problem.settings.model_cov else None,
        problem.bands.lengths,
        masked(batch_epochs(problem, batch), is_epoch & used[batch.row]),
        jnp.asarray(np.where(is_epoch[..., None], modes[batch.row], 0.0)),
        jnp.asarray(params),
        jnp.asarray(gradient),
        problem.constraints.names,
    )


@eqx.filter_jit
def lane_derivatives(
    model: SaltModel,
    light: Light,
    curve: BandCurve | None,
    lengths: tuple[int, int],
    epochs: Epochs,
    modes: Float[Array, "lane obs mode"],
    params: Float[Array, "lane param"],
    gradient: Float[Array, "lane param"],
    names: tuple[str, ...],
) -> _Slopes:
    """Derivatives of the answers of a batch, one lane after the other."""

    def one(args: tuple[Array, Array, Array, Epochs, Array, Array, Array]) -> _Slopes:
        passband, z, mwebv, epochs, modes, params, gradient = args
        lane = eqx.tree_at(
            lambda part: (part.passband, part.z, part.mwebv), light, (passband, z, mwebv)
        )
        n_band = len(passband)
        none = Nudges(jnp.zeros(n_band), jnp.zeros(n_band), jnp.zeros(modes.shape[1]))
        flux = _nudged_flux(model, lane, epochs, params, names)
        bands = None
        if curve is not None:
            bands = _nudged_bands(model, curve, lengths, lane, params[4:], names)

        def errors(theta: Array, nudges: Nudges, at: Array) -> ModelErrors | None:
            if bands is None:
                return None
            moved = _at_redshift(epochs, lane, theta, names)
            return model_errors(model, bands(theta, nudges), moved, theta, at)

        pull = _pull_about(params, none, flux, errors, epochs, modes)
        by_theta, by_nudges = jax.jacfwd(pull, argnums=(0, 1))(params, none)
        is_free = ~held(params, gradient, epochs.low, epochs.high)
        kinds = (by_nudges.zp, by_nudges.wave, by_nudges.mode)
        return _Slopes(*(_solved(by_theta, by_kind, is_free) for by_kind in kinds))

    args = (light.passband, light.z, light.mwebv, epochs, modes, params, gradient)
    return jax.lax.map(one, args)


def _pull_about(
    params: Float[Array, " param"],
    none: Nudges,
    flux: Callable[[Array, Nudges], Array],
    errors: Callable[[Array, Nudges, Array], ModelErrors | None],
    epochs: Epochs,
    modes: Float[Array, "obs mode"],
) -> Callable[[Array, Nudges], Array]:
    r"""Derivative of half the chi2 by the parameters, right to first order about an answer.

    With residuals r, covariance C, :math:`J = \partial f/\partial\theta` and :math:`v = C^{-1} r`
    at the answer,

    .. math:: d(J^T C^{-1} r) = dJ^T v + J^T C^{-1} (dr - dC\, v)

    so C is inverted once, and its inverse not derived.
    """
    at = flux(params, none)
    weights = weights_of(epochs, errors(params, none, at))
    v = weights((epochs.flux - at)[:, None])[:, 0]
    weighted = weights(jax.jacfwd(flux)(params, none))

    def pull(theta: Array, nudges: Nudges) -> Array:
        at = flux(theta, nudges)
        change = epochs.flux + modes @ nudges.mode - at
        own = errors(theta, nudges, at)
        if own is not None:
            change = change - own.variance * v - own.common @ (own.common.T @ v)
        by_flux = jax.grad(lambda t: flux(t, nudges) @ v)(theta)
        prior = epochs.prior_ivar * (theta - epochs.prior_mean)
        return prior - by_flux - weighted.T @ change

    return pull


def _solved(
    by_theta: Float[Array, "param param"],
    by_nudge: Float[Array, "param nudge"],
    is_free: Bool[Array, " param"],
) -> Float[Array, "nudge param"]:
    """Solve the module's equation for the parameters that are free; the others stay."""
    size = jnp.sqrt(jnp.abs(jnp.diagonal(by_theta)))
    size = jnp.where(size > 0, size, 1.0)
    scaled = by_theta / (size[:, None] * size[None, :])
    unit = jnp.eye(len(size), dtype=size.dtype)
    scaled = jnp.where(is_free[:, None] & is_free[None, :], scaled, unit)
    right = jnp.where(is_free[:, None], by_nudge / size[:, None], 0.0)
    return -(jnp.linalg.solve(scaled, right) / size[:, None]).T


def _at_redshift(
    epochs: Epochs, light: Light, params: Float[Array, " param"], names: tuple[str, ...]
) -> Epochs:
    """Epochs at the redshift of the parameters."""
    return eqx.tree_at(lambda e: e.z, epochs, extras_of(light, params[4:], names)[0])


def _nudged_bands(
    model: SaltModel,
    curve: BandCurve,
    lengths: tuple[int, int],
    light: Light,
    middle: Float[Array, " extra"],
    names: tuple[str, ...],
) -> Callable[[Array, Nudges], BandErrors]:
    """Model errors of the bands by extra parameters and shifts, right to first order at the answer.

    They are expanded in both at once; a band depends on its own shift alone.
    """
    n_band = len(light.passband)

    def errors_at(point: Array) -> BandErrors:
        z, _ = extras_of(light, point[:-1], names)
        shifted = eqx.tree_at(
            lambda c: (c.wave, c.wave_min, c.wave_max),
            curve,
            (curve.wave + point[-1], curve.wave_min + point[-1], curve.wave_max + point[-1]),
        )
        errors = errors_of_bands(model, shifted, lengths, light.passband, z)
        return eqx.filter(errors, eqx.is_inexact_array)

    answer = jnp.append(middle, 0.0)
    value, slope = errors_at(answer), jax.jacfwd(errors_at)(answer)

    def bands(params: Array, nudges: Nudges) -> BandErrors:
        extra = jnp.broadcast_to(params[4:] - middle, (n_band, len(middle)))
        off = jnp.concatenate([extra, nudges.wave[:, None]], axis=1)
        near = jax.tree.map(lambda v, s: v + jnp.einsum("b...k,bk->b...", s, off), value, slope)
        return eqx.tree_at(
            lambda e: e.filter,
            near,
            curve.filter[light.passband],
            is_leaf=lambda leaf: leaf is None,
        )

    return bands


def _nudged_flux(
    model: SaltModel,
    light: Light,
    epochs: Epochs,
    answer: Float[Array, " param"],
    names: tuple[str, ...],
) -> Callable[[Array, Nudges], Array]:
    """Model flux by parameters and nudges, right at the answer to as many orders as are needed.

    Those are two in the color and in the extra parameters, and one in the nudges.
    Raising a zero point divides fluxes and errors alike, which is the same as a brighter model.
    """
    n_band, middle = len(light.passband), answer[4:]
    light = replace(light, terms=COLOR_TERMS)
    wave, weight = light.wave[light.passband], light.weight[light.passband]

    def shifted(point: Array) -> BandTable:
        moved = wave + point[-1]
        reference = jnp.sum(weight / wave**2, axis=1) / jnp.sum(weight / wave / moved, axis=1)
        own = eqx.tree_at(
            lambda part: (part.wave, part.weight, part.passband),
            light,
            (moved, weight * (moved / wave) * reference[:, None], jnp.arange(n_band)),
        )
        return tables_at(model, own, point[:-1], names, about=answer[3])

    near = expand_near(shifted, jnp.append(middle, 0.0), order=2 if middle.size else 1)
    member = (epochs.band[:, None] == jnp.arange(n_band)[None, :]).astype(wave.dtype)

    def flux(params: Array, nudges: Nudges) -> Array:
        table, slope = jax.jvp(
            lambda shift: near(jnp.append(params[4:], shift)), (jnp.zeros(()),), (jnp.ones(()),)
        )
        moved = _at_redshift(epochs, light, params, names)

        def at(table: BandTable) -> Array:
            return model_flux(params, surfaces=model.surfaces, table=table, epochs=moved)

        plain, by_shift = jax.jvp(at, (table,), (slope,))
        brighter = jnp.exp(LN10_OVER_2P5 * (member @ nudges.zp))
        return brighter * (plain + (member @ nudges.wave) * by_shift)

    return flux
