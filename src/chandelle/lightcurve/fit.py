r"""Fit of one supernova: chi2 of (t0, x0, x0 x1, c) with exact derivatives, from several starts.

Band fluxes are :math:`f_i = x_0 H_0(p_i, c) + x_0 x_1 H_1(p_i, c)` at rest-frame phase :math:`p_i =
(t_i - t_0)/(1+z)`. The weight matrix is diagonal, or with the model covariance diagonal plus one
rank-1 block a band, inverted by the formula of Sherman and Morrison.

References
----------
J. Guy et al., 2007, A&A 466, 11 (the model). M. Betoule et al., 2014, A&A 568, A22 (sect. 4).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from chandelle.lightcurve.basis import flux_basis, plain_basis
from chandelle.lightcurve.guess import (
    N_GRID,
    WINDOW_DAYS,
    amplitude_fit,
    best_minima,
    signal_center,
)
from chandelle.lightcurve.newton import Minimum, Quadratic, minimize
from chandelle.physics.salt_bands import BandTable
from chandelle.physics.salt_grid import SaltSurfaces

SAME_MINIMUM_DAYS = 0.1
TWO_MINIMA_CHI2 = 4.0


class Epochs(eqx.Module):
    """Data of one supernova, padded.

    Attributes
    ----------
    mjd, flux : Array, shape (obs,), day and nJy
    ivar : Array, shape (obs,), 1/nJy^2
        Inverse variance; zero for padding and for epochs left out.
    band : Array, shape (obs,)
        Row of the band tables.
    z : Array
        Heliocentric redshift.
    low, high : Array, shape (4,)
        Bounds of t0, x0, x0 x1, c.
    """

    mjd: Float[Array, " obs"]
    flux: Float[Array, " obs"]
    ivar: Float[Array, " obs"]
    band: Int[Array, " obs"]
    z: Float[Array, ""]
    low: Float[Array, " 4"]
    high: Float[Array, " 4"]

    def phase(self, t0: Float[Array, ""]) -> Float[Array, " obs"]:
        """Rest-frame phases [day] for a time of maximum."""
        return (self.mjd - t0) / (1.0 + self.z)


class Weights(eqx.Module):
    r"""Inverse covariance :math:`W = D - \sum_b s_b q_b q_b^T`, q the part of `tied` in band b."""

    ivar: Float[Array, " obs"]
    tied: Float[Array, " obs"]
    share: Float[Array, " band"]
    member: Float[Array, "obs band"]

    def __call__(self, vectors: Float[Array, "obs k"]) -> Float[Array, "obs k"]:
        """Product of W with columns."""
        sums = self.member.T @ (self.tied[:, None] * vectors)
        tied = self.tied[:, None] * (self.member @ (self.share[:, None] * sums))
        return self.ivar[:, None] * vectors - tied


def weights_of(
    epochs: Epochs,
    *,
    n_band: int,
    variance: Float[Array, " obs"],
    common: Float[Array, " obs"],
) -> Weights:
    r"""Invert the covariance of data and model.

    .. math:: C = \mathrm{diag}(\sigma_i^2 + v_i) + \sum_b k_b k_b^T

    Parameters
    ----------
    epochs : Epochs
        Gives the errors of the data; an epoch with `ivar` zero stays without weight.
    n_band : int
        Number of band tables.
    variance : Array, shape (obs,), nJy^2
        Variance v of the model, independent between epochs.
    common : Array, shape (obs,), nJy
        Error k of the model that all epochs of a band share.

    Returns
    -------
    Weights
        The inverse of C.
    """
    ivar = epochs.ivar / (1.0 + epochs.ivar * variance)
    member = (epochs.band[:, None] == jnp.arange(n_band)[None, :]).astype(ivar.dtype)
    tied = ivar * common
    share = 1.0 / (1.0 + member.T @ (tied * common))
    return Weights(ivar=ivar, tied=tied, share=share, member=member)


def expand_chi2(
    params: Float[Array, " 4"],
    *,
    surfaces: SaltSurfaces,
    table: BandTable,
    epochs: Epochs,
    weights: Weights,
) -> Quadratic:
    """Evaluate chi2 and its exact derivatives at (t0, x0, x0 x1, c).

    Parameters
    ----------
    params : Array, shape (4,)
        Time of maximum [day], x0, x0 times x1, c.
    surfaces, table, epochs, weights
        Model, band tables, data and inverse covariance.

    Returns
    -------
    Quadratic
        chi2, with gradient and Hessian of its half.
    """
    t0, x0, x0x1, c = params
    basis = flux_basis(surfaces, table, epochs.band, epochs.phase(t0), c)
    pair = jnp.stack([x0, x0x1])
    rate = -1.0 / (1.0 + epochs.z)
    residual = epochs.flux - basis.value @ pair
    jacobian = jnp.concatenate(
        [(rate * (basis.p @ pair))[:, None], basis.value, (basis.c @ pair)[:, None]], axis=1
    )
    weighted = weights(jnp.concatenate([residual[:, None], jacobian], axis=1))
    pull, weighted = weighted[:, 0], weighted[:, 1:]
    gauss_newton = jacobian.T @ weighted
    by_t_pair = rate * (pull @ basis.p)
    by_c_pair = pull @ basis.c
    by_tt = rate**2 * (pull @ basis.pp) @ pair
    by_tc = rate * (pull @ basis.pc) @ pair
    by_cc = (pull @ basis.cc) @ pair
    zero = jnp.zeros((2, 2), dtype=by_tt.dtype)
    bend = jnp.concatenate(
        [
            jnp.concatenate([by_tt[None], by_t_pair, by_tc[None]])[None, :],
            jnp.concatenate([by_t_pair[:, None], zero, by_c_pair[:, None]], axis=1),
            jnp.concatenate([by_tc[None], by_c_pair, by_cc[None]])[None, :],
        ]
    )
    return Quadratic(
        value=residual @ pull,
        gradient=-(pull @ jacobian),
        hessian=gauss_newton - bend,
        gauss_newton=gauss_newton,
    )


class Answer(eqx.Module):
    """Fit of one supernova.

    `params` are (t0, x0, x0 x1, c), `hessian` that of half the chi2 there, `chi2_empty` the chi2
    without a supernova, `has_rival` whether another minimum lies within chi2 + 4.
    """

    params: Float[Array, " 4"]
    hessian: Float[Array, "4 4"]
    gradient: Float[Array, " 4"]
    chi2: Float[Array, ""]
    chi2_empty: Float[Array, ""]
    edm: Float[Array, ""]
    n_steps: Int[Array, ""]
    is_converged: Bool[Array, ""]
    at_bound: Bool[Array, ""]
    has_rival: Bool[Array, ""]


def _answer(found: Minimum, *, chi2_empty: Array, has_rival: Array) -> Answer:
    return Answer(
        params=found.params,
        hessian=found.at.hessian,
        gradient=found.at.gradient,
        chi2=found.at.value,
        chi2_empty=chi2_empty,
        edm=found.edm,
        n_steps=found.n_steps,
        is_converged=found.is_converged,
        at_bound=found.at_bound.any() | found.is_stalled,
        has_rival=has_rival,
    )


def _starts(
    surfaces: SaltSurfaces, table: BandTable, epochs: Epochs
) -> tuple[Float[Array, "start 4"], Bool[Array, " start"]]:
    """Best local minima in t0 of linear fits at c = 0."""
    center = signal_center(epochs.mjd, epochs.flux, epochs.ivar, z=epochs.z)
    window = jnp.linspace(*WINDOW_DAYS, N_GRID)
    grid = jnp.clip(center + (1.0 + epochs.z) * window, epochs.low[0], epochs.high[0])

    def try_t0(t0: Array) -> tuple[Array, Array]:
        basis = plain_basis(surfaces, table, epochs.band, epochs.phase(t0))
        return amplitude_fit(basis, epochs.flux, epochs.ivar)

    pairs, chi2 = jax.vmap(try_t0)(grid)
    depth, index = best_minima(chi2)
    t0, pair = grid[index], pairs[index]
    starts = jnp.concatenate([t0[:, None], pair, jnp.zeros_like(t0)[:, None]], axis=1)
    return starts, jnp.isfinite(depth) & (pair[:, 0] > 0)


def fit_from_scratch(
    surfaces: SaltSurfaces, table: BandTable, epochs: Epochs
) -> Answer:
    """Fit without a prior guess and without model covariance.

    Parameters
    ----------
    surfaces, table, epochs
        Model, band tables and data of one supernova.

    Returns
    -------
    Answer
        The deepest of the minima reached from the starts.
    """
    zeros = jnp.zeros_like(epochs.flux)
    weights = weights_of(
        epochs, n_band=table.color_middle.shape[0], variance=zeros, common=zeros
    )

    def descend(start: Array) -> Minimum:
        def evaluate(params: Array) -> Quadratic:
            return expand_chi2(
                params, surfaces=surfaces, table=table, epochs=epochs, weights=weights
            )

        return minimize(evaluate, start, low=epochs.low, high=epochs.high)

    starts, is_start = _starts(surfaces, table, epochs)
    found = jax.vmap(descend)(starts)
    is_usable = is_start & found.is_converged & (found.params[:, 1] > 0)
    chi2 = jnp.where(is_usable, found.at.value, jnp.inf)
    best = jnp.argmin(chi2)
    chosen = jax.tree.map(lambda leaf: leaf[best], found)
    is_apart = jnp.abs(found.params[:, 0] - chosen.params[0]) > SAME_MINIMUM_DAYS
    is_close = chi2 < chosen.at.value + TWO_MINIMA_CHI2
    chi2_empty = jnp.sum(epochs.ivar * epochs.flux**2)
    return _answer(chosen, chi2_empty=chi2_empty, has_rival=jnp.any(is_apart & is_close))


def fit_again(
    surfaces: SaltSurfaces,
    table: BandTable,
    epochs: Epochs,
    *,
    start: Float[Array, " 4"],
    variance: Float[Array, " obs"],
    common: Float[Array, " obs"],
) -> Answer:
    """Fit from an earlier answer, with the model covariance evaluated there.

    Parameters
    ----------
    surfaces, table, epochs
        Model, band tables and data of one supernova.
    start : Array, shape (4,)
        Earlier answer (t0, x0, x0 x1, c).
    variance, common : Array, shape (obs,)
        Model variance [nJy^2] and error shared by a band [nJy], as in `weights_of`.

    Returns
    -------
    Answer
        The minimum next to the start.
    """
    weights = weights_of(
        epochs, n_band=table.color_middle.shape[0], variance=variance, common=common
    )
    found = minimize(
        lambda params: expand_chi2(
            params, surfaces=surfaces, table=table, epochs=epochs, weights=weights
        ),
        start,
        low=epochs.low,
        high=epochs.high,
    )
    chi2_empty = epochs.flux @ weights(epochs.flux[:, None])[:, 0]
    return _answer(found, chi2_empty=chi2_empty, has_rival=jnp.asarray(False))
