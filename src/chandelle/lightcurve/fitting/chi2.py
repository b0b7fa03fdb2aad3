r"""chi2 of one supernova at (t0, x0, x1, c), its derivatives by JAX.

Band fluxes are :math:`f_i = x_0 [H_0(p_i, c) + x_1 H_1(p_i, c)]` at rest-frame phase :math:`p_i =
(t_i - t_0)/(1+z)`. Their covariance is diagonal plus low rank, with the covariance of the data and
one column a filter for the color dispersion of the model.

References
----------
J. Guy et al., 2007, A&A 466, 11 (the model). M. Betoule et al., 2014, A&A 568, A22 (sect. 4).
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from chandelle.lightcurve.fitting.basis import declining_fluxes, unit_fluxes
from chandelle.lightcurve.fitting.guess import (
    N_GRID,
    START_COLORS,
    WINDOW_DAYS,
    X1_SPREAD,
    amplitude_fit,
    best_minima,
    epoch_cost,
    signal_center,
)
from chandelle.lightcurve.fitting.newton import Quadratic, minimize
from chandelle.physics.salt_bands import BandTable
from chandelle.physics.salt_grid import SaltSurfaces

FluxOf = Callable[[Float[Array, " param"]], Float[Array, " obs"]]
"""Model flux of the epochs of one supernova at its parameters."""


class Epochs(eqx.Module):
    r"""Data of one supernova, padded; a batch of them has a leading lane axis.

    Their covariance is :math:`\mathrm{diag}(1/ivar) + U U^T`.

    Attributes
    ----------
    mjd, flux : Array, shape (obs,), day and nJy
    ivar : Array, shape (obs,), 1/nJy^2
        Inverse of the diagonal part; zero for padding and for epochs left out.
    factor : Array, shape (obs, column), nJy
        The U of the equation; without columns where errors are independent.
    band : Array, shape (obs,)
        Row of the band tables.
    z : Array
        Heliocentric redshift.
    low, high : Array, shape (param,)
        Bounds of t0, x0, x1, c, and of what else is fitted.
    prior_mean, prior_ivar : Array, shape (param,)
        Gaussian priors; no prior where `prior_ivar` is zero.
    """

    mjd: Float[Array, "*lane obs"]
    flux: Float[Array, "*lane obs"]
    ivar: Float[Array, "*lane obs"]
    factor: Float[Array, "*lane obs column"]
    band: Int[Array, "*lane obs"]
    z: Float[Array, "*lane"]
    low: Float[Array, "*lane param"]
    high: Float[Array, "*lane param"]
    prior_mean: Float[Array, "*lane param"]
    prior_ivar: Float[Array, "*lane param"]

    def phase(self, t0: Float[Array, ""]) -> Float[Array, " obs"]:
        """Rest-frame phases [day] for a time of maximum."""
        return (self.mjd - t0) / (1.0 + self.z)

    def total_ivar(self) -> Float[Array, " obs"]:
        """Inverse of the whole variance of each epoch, for first guesses."""
        return self.ivar / (1.0 + self.ivar * jnp.sum(self.factor**2, axis=-1))


class Weights(eqx.Module):
    r"""Inverse covariance :math:`W = \mathrm{diag}(ivar) - T T^T`."""

    ivar: Float[Array, " obs"]
    tied: Float[Array, "obs column"]

    def __call__(self, vectors: Float[Array, "obs k"]) -> Float[Array, "obs k"]:
        """Product of W with columns."""
        return self.ivar[:, None] * vectors - self.tied @ (self.tied.T @ vectors)


class ModelErrors(eqx.Module):
    """Error of the model's band fluxes.

    Attributes
    ----------
    variance : Array, shape (obs,), nJy^2
        Independent between epochs.
    common : Array, shape (obs, band), nJy
        Shared by the epochs of a band.
    """

    variance: Float[Array, " obs"]
    common: Float[Array, "obs band"]


def weights_of(epochs: Epochs, errors: ModelErrors | None) -> Weights:
    r"""Invert the covariance of data and model.

    With columns U and diagonal D, :math:`T = D^{-1} U L^{-T}`, :math:`L L^T = 1 + U^T D^{-1} U`.

    Parameters
    ----------
    epochs : Epochs
        Covariance of the data; an epoch with `ivar` zero stays without weight.
    errors : ModelErrors or None
        Of the model.

    Returns
    -------
    Weights
        The inverse.
    """
    ivar, columns = epochs.ivar, epochs.factor
    if errors is not None:
        ivar = ivar / (1.0 + ivar * errors.variance)
        columns = jnp.concatenate([columns, errors.common], axis=1)
    if columns.shape[1] == 0:
        return Weights(ivar=ivar, tied=columns)
    scaled = ivar[:, None] * columns
    square = jnp.eye(columns.shape[1], dtype=ivar.dtype) + columns.T @ scaled
    lower = jnp.linalg.cholesky(square)
    tied = jax.lax.linalg.triangular_solve(
        lower, scaled, left_side=False, lower=True, transpose_a=True
    )
    return Weights(ivar=ivar, tied=tied)


def model_flux(
    params: Float[Array, " param"],
    *,
    surfaces: SaltSurfaces,
    table: BandTable,
    epochs: Epochs,
) -> Float[Array, " obs"]:
    """Band flux [nJy] of every epoch at (t0, x0, x1, c)."""
    t0, x0, x1, c = params[:4]
    pair = unit_fluxes(surfaces, table, epochs.band, epochs.phase(t0), c)
    return x0 * (pair[:, 0] + x1 * pair[:, 1])


def expand_chi2(
    params: Float[Array, " param"],
    *,
    flux: FluxOf,
    epochs: Epochs,
    weights: Weights,
) -> Quadratic:
    """Evaluate chi2, priors included, and its exact derivatives.

    Parameters
    ----------
    params : Array, shape (param,)
        t0 [day], x0, x1, c, and what else `flux` takes.
    flux : callable
        Model flux of the epochs.
    epochs, weights
        Data, priors and inverse covariance.

    Returns
    -------
    Quadratic
        chi2, with gradient and Hessian of its half.
    """
    residual = epochs.flux - flux(params)
    jacobian = jax.jacfwd(flux)(params)
    bend = jax.jacfwd(jax.jacfwd(flux))(params)
    weighted = weights(jnp.concatenate([residual[:, None], jacobian], axis=1))
    pull = weighted[:, 0]
    off = params - epochs.prior_mean
    gauss_newton = jacobian.T @ weighted[:, 1:] + jnp.diag(epochs.prior_ivar)
    return Quadratic(
        value=residual @ pull + jnp.sum(epochs.prior_ivar * off**2),
        gradient=epochs.prior_ivar * off - pull @ jacobian,
        hessian=gauss_newton - jnp.einsum("o,opq->pq", pull, bend),
        gauss_newton=gauss_newton,
    )


def solve_amplitudes(
    params: Float[Array, " param"], *, flux: FluxOf, epochs: Epochs, weights: Weights
) -> Float[Array, " param"]:
    """Put x0 and x1 where they are best for the other parameters.

    They stay where the best x0 is not positive or the data do not tell them apart.

    Parameters
    ----------
    params : Array, shape (param,)
        t0 [day], x0, x1, c, and what else `flux` takes.
    flux : callable
        Model flux of the epochs.
    epochs, weights
        Data and inverse covariance.

    Returns
    -------
    Array, shape (param,)
        The same but for x0 and x1.
    """
    plain, both = (flux(params.at[1].set(1.0).at[2].set(x1)) for x1 in (0.0, 1.0))
    basis = jnp.stack([plain, both - plain], axis=1)
    weighted = weights(basis)
    normal, right = weighted.T @ basis, weighted.T @ epochs.flux
    square = normal[0, 0] * normal[1, 1]
    det = square - normal[0, 1] ** 2
    is_told = det > 1e-10 * square
    det = jnp.where(is_told, det, 1.0)
    x0 = (normal[1, 1] * right[0] - normal[0, 1] * right[1]) / det
    x0x1 = (normal[0, 0] * right[1] - normal[0, 1] * right[0]) / det
    is_best = is_told & (x0 > 0)
    pair = jnp.stack([x0, x0x1 / jnp.where(is_best, x0, 1.0)])
    return params.at[1:3].set(jnp.where(is_best, pair, params[1:3]))


class Answer(eqx.Module):
    """Fit of one supernova.

    `params` are t0, x0, x1, c (and what else was fitted), `gradient` and `hessian` those of half
    the chi2 with priors, `chi2` that of the data, `chi2_empty` the same without a supernova;
    `at_bound` says that a parameter stands at its bound or the answer at the edge of the model's
    phases.
    """

    params: Float[Array, " param"]
    hessian: Float[Array, "param param"]
    gradient: Float[Array, " param"]
    chi2: Float[Array, ""]
    chi2_empty: Float[Array, ""]
    edm: Float[Array, ""]
    n_steps: Int[Array, ""]
    is_converged: Bool[Array, ""]
    at_bound: Bool[Array, ""]


def find_starts(
    surfaces: SaltSurfaces,
    table: BandTable,
    epochs: Epochs,
    window: tuple[Float[Array, ""], Float[Array, ""]],
) -> tuple[Float[Array, "start 4"], Bool[Array, " start"]]:
    """Find the best local minima in t0 of linear fits at the best of `guess.START_COLORS`.

    Parameters
    ----------
    surfaces, table, epochs
        Model, band tables and data of one supernova.
    window : tuple of Array
        Range of phases; only times count whose window holds enough epochs, if any does.

    Returns
    -------
    starts : Array, shape (start, 4)
        (t0, x0, x1, c), the best one first; it also stands where there is no other.
    is_start : Array, shape (start,)
        Which are minima of their own.
    """
    ivar = epochs.total_ivar()
    center = signal_center(epochs.mjd, epochs.flux, ivar, z=epochs.z)
    days = jnp.linspace(*WINDOW_DAYS, N_GRID)
    grid = jnp.clip(center + (1.0 + epochs.z) * days, epochs.low[0], epochs.high[0])

    def try_one(t0: Array, c: Array) -> tuple[Array, Array]:
        basis = declining_fluxes(surfaces, table, epochs.band, epochs.phase(t0), c)
        return amplitude_fit(basis, epochs.flux, ivar)

    colors = jnp.asarray(START_COLORS)
    over_t0 = jax.vmap(try_one, in_axes=(0, None))
    pairs, chi2 = jax.vmap(over_t0, in_axes=(None, 0))(grid, colors)
    own, lowest = jnp.argmin(chi2, axis=0), jnp.min(chi2, axis=0)
    phase = jax.vmap(epochs.phase)(grid)
    is_in = (phase > window[0]) & (phase < window[1]) & (ivar > 0)[None, :]
    has_enough = is_in.sum(axis=1) >= epochs.low.shape[0]
    depth, index = best_minima(jnp.where(has_enough | ~has_enough.any(), lowest, jnp.inf))
    t0, color = grid[index], own[index]
    x0, x0x1 = pairs[color, index, 0], pairs[color, index, 1]
    x1 = x0x1 / jnp.where(x0 > 0, x0, 1.0)
    starts = jnp.stack([t0, x0, x1, colors[color]], axis=1)
    is_start = jnp.isfinite(depth) & (x0 > 0)
    return jnp.where(is_start[:, None], starts, starts[:1]), is_start


def start_cost(
    params: Float[Array, " 4"], *, surfaces: SaltSurfaces, table: BandTable, epochs: Epochs
) -> Float[Array, ""]:
    """Cost over all epochs of the answer that a start led to, the equation of `guess`."""
    t0, x0, x1, c = params
    phase = epochs.phase(t0)
    pair = declining_fluxes(surfaces, table, epochs.band, phase, c)
    flux = x0 * (pair[:, 0] + x1 * pair[:, 1])
    cost = epoch_cost(flux, epochs.flux, epochs.total_ivar(), phase > surfaces.phase[-1])
    return jnp.sum(cost) + (x1 / X1_SPREAD) ** 2


def fit_from(
    flux_near: Callable[[Float[Array, " param"]], FluxOf],
    epochs: Epochs,
    weights: Weights,
    *,
    start: Float[Array, " param"],
    max_steps: Int[Array, ""],
    settle: Callable[[Float[Array, " param"]], Float[Array, " param"]] = lambda params: params,
) -> Answer:
    """Descend from a start to the minimum next to it.

    Parameters
    ----------
    flux_near : callable
        From a point to a function that has the model flux and its derivatives right there.
    epochs, weights
        Data, bounds, priors and inverse covariance of one supernova.
    start : Array, shape (param,)
        t0, x0, x1, c and what else is fitted.
    max_steps : Array
        Evaluations allowed.
    settle : callable, optional
        As for `newton.minimize`.

    Returns
    -------
    Answer
        Where the descent ended.
    """

    def evaluate(params: Array) -> Quadratic:
        return expand_chi2(params, flux=flux_near(params), epochs=epochs, weights=weights)

    found = minimize(
        evaluate, start, low=epochs.low, high=epochs.high, max_steps=max_steps, settle=settle
    )
    prior = jnp.sum(epochs.prior_ivar * (found.params - epochs.prior_mean) ** 2)
    return Answer(
        params=found.params,
        hessian=found.at.hessian,
        gradient=found.at.gradient,
        chi2=found.at.value - prior,
        chi2_empty=epochs.flux @ weights(epochs.flux[:, None])[:, 0],
        edm=found.edm,
        n_steps=found.n_steps,
        is_converged=found.is_converged,
        at_bound=found.at_bound.any() | found.is_stalled,
    )
