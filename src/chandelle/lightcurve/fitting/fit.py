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

from chandelle.lightcurve.fitting.basis import flux_basis, plain_basis
from chandelle.lightcurve.fitting.guess import (
    N_GRID,
    WINDOW_DAYS,
    amplitude_fit,
    best_minima,
    signal_center,
)
from chandelle.lightcurve.fitting.newton import Quadratic, minimize
from chandelle.physics.salt_bands import BandTable
from chandelle.physics.salt_grid import SaltSurfaces


class Epochs(eqx.Module):
    """Data of one supernova, padded; a batch of them has a leading lane axis.

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

    mjd: Float[Array, "*lane obs"]
    flux: Float[Array, "*lane obs"]
    ivar: Float[Array, "*lane obs"]
    band: Int[Array, "*lane obs"]
    z: Float[Array, "*lane"]
    low: Float[Array, "*lane 4"]
    high: Float[Array, "*lane 4"]

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

    `params` are (t0, x0, x0 x1, c), `gradient` and `hessian` those of half the chi2 there,
    `chi2_empty` the chi2 without a supernova; `at_bound` says that a parameter stands at its bound
    or the answer at the edge of the model's phases.
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


def find_starts(
    surfaces: SaltSurfaces, table: BandTable, epochs: Epochs
) -> tuple[Float[Array, "start 4"], Bool[Array, " start"]]:
    """Find the best local minima in t0 of linear fits at c = 0.

    Parameters
    ----------
    surfaces, table, epochs
        Model, band tables and data of one supernova.

    Returns
    -------
    starts : Array, shape (start, 4)
        (t0, x0, x0 x1, c), the best one first; it also stands where there is no other.
    is_start : Array, shape (start,)
        Which are minima of their own.
    """
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
    is_start = jnp.isfinite(depth) & (pair[:, 0] > 0)
    return jnp.where(is_start[:, None], starts, starts[:1]), is_start


def fit_from(
    surfaces: SaltSurfaces,
    table: BandTable,
    epochs: Epochs,
    *,
    start: Float[Array, " 4"],
    variance: Float[Array, " obs"],
    common: Float[Array, " obs"],
    max_steps: Int[Array, ""],
) -> Answer:
    """Descend from a start to the minimum next to it.

    Parameters
    ----------
    surfaces, table, epochs
        Model, band tables and data of one supernova.
    start : Array, shape (4,)
        (t0, x0, x0 x1, c).
    variance, common : Array, shape (obs,)
        Model variance [nJy^2] and error shared by a band [nJy], as in `weights_of`.
    max_steps : Array
        Evaluations allowed.

    Returns
    -------
    Answer
        Where the descent ended.
    """
    weights = weights_of(
        epochs, n_band=table.color_middle.shape[0], variance=variance, common=common
    )

    def evaluate(params: Array) -> Quadratic:
        return expand_chi2(params, surfaces=surfaces, table=table, epochs=epochs, weights=weights)

    found = minimize(evaluate, start, low=epochs.low, high=epochs.high, max_steps=max_steps)
    return Answer(
        params=found.params,
        hessian=found.at.hessian,
        gradient=found.at.gradient,
        chi2=found.at.value,
        chi2_empty=epochs.flux @ weights(epochs.flux[:, None])[:, 0],
        edm=found.edm,
        n_steps=found.n_steps,
        is_converged=found.is_converged,
        at_bound=found.at_bound.any() | found.is_stalled,
    )
