"""chi2 of one supernova with its gradient and Hessian, under any covariance of its fluxes."""

import math

from chandelle.core.compiled import compiled
from chandelle.lightcurve.fitting.compiled.arrays import EpochArrays, Space
from chandelle.lightcurve.fitting.compiled.tables import fill_basis, set_color
from chandelle.physics.compiled.bands import ModelArrays
from chandelle.physics.compiled.errors import relative_variance
from chandelle.physics.compiled.grid import Floats


@compiled
def set_weights(
    model: ModelArrays,
    epochs: EpochArrays,
    first: int,
    n: int,
    n_band: int,
    z: float,
    params: Floats,
    model_cov: bool,
    space: Space,
) -> int:
    r"""Invert the covariance of the epochs in use: :math:`W = \mathrm{diag}(ivar) - T T^T`.

    The columns U of the covariance :math:`D + U U^T` are those of the data, then one a filter for
    the color dispersion of the model, whose errors are taken at `params`. Then :math:`T = D^{-1} U
    L^{-T}` with :math:`L L^T = 1 + U^T D^{-1} U`.

    Returns
    -------
    int
        Number of columns of ``space.tied`` (T).
    """
    n_factor = epochs.factor.shape[1]
    n_column = n_factor
    if model_cov:
        for k in range(n_band):
            n_column = max(n_column, n_factor + space.filters[k] + 1)
        set_color(len(model.phase), n_band, params[3], space)
        fill_basis(model, epochs, first, n, z, params[0], space)
    for i in range(n):
        space.ivar[i] = 0.0
        if not space.used[i]:
            continue
        variance = epochs.variance[first + i]
        for r in range(n_column):
            space.columns[i, r] = epochs.factor[first + i, r] if r < n_factor else 0.0
        if model_cov:
            band = space.local[i]
            flux = params[1] * (space.basis[i, 0] + params[2] * space.basis[i, 1])
            phase = (epochs.mjd[first + i] - params[0]) / (1.0 + z)
            relative = relative_variance(
                space.mean_nodes[band, 0], model, space.mean_wave[band], phase, params[2]
            )
            variance += relative * flux * flux
            space.columns[i, n_factor + space.filters[band]] = space.dispersion[band] * flux
        space.ivar[i] = 1.0 / variance
    if n_column > 0:
        _tie(n, n_column, space)
    return n_column


@compiled
def _tie(n: int, n_column: int, space: Space) -> None:
    """Fill ``space.tied`` from ``space.columns``."""
    square = space.square
    for r in range(n_column):
        for q in range(r + 1):
            square[r, q] = 1.0 if r == q else 0.0
    for i in range(n):
        if space.ivar[i] > 0.0:
            row = space.columns[i]
            for r in range(n_column):
                if row[r] != 0.0:
                    for q in range(r + 1):
                        square[r, q] += space.ivar[i] * row[r] * row[q]
    for r in range(n_column):
        for q in range(r + 1):
            total = square[r, q]
            for k in range(q):
                total -= square[r, k] * square[q, k]
            square[r, q] = math.sqrt(total) if r == q else total / square[q, q]
    for i in range(n):
        row, out = space.columns[i], space.tied[i]
        for r in range(n_column):
            out[r] = 0.0
        if space.ivar[i] > 0.0:
            for r in range(n_column):
                total = space.ivar[i] * row[r]
                for k in range(r):
                    total -= square[r, k] * out[k]
                out[r] = total / square[r, r]


@compiled
def empty_chi2(epochs: EpochArrays, first: int, n: int, n_column: int, space: Space) -> float:
    """Chi2 of the epochs in use without a supernova."""
    sums = space.sums[0]
    sums[:n_column] = 0.0
    total = 0.0
    for i in range(n):
        if space.ivar[i] > 0.0:
            flux = epochs.flux[first + i]
            total += space.ivar[i] * flux * flux
            for r in range(n_column):
                sums[r] += space.tied[i, r] * flux
    for r in range(n_column):
        total -= sums[r] * sums[r]
    return total


@compiled
def solve_amplitudes(
    epochs: EpochArrays, first: int, n: int, n_column: int, params: Floats, space: Space
) -> None:
    """Put the best x0 and x1 for the basis that stands there into `params`.

    They stay where the best x0 is not positive or the data do not tell them apart.
    """
    n00, n01, n11, r0, r1 = 0.0, 0.0, 0.0, 0.0, 0.0
    sums = space.sums[:3]
    sums[:, :n_column] = 0.0
    for i in range(n):
        w = space.ivar[i]
        if w > 0.0:
            b0, b1, y = space.basis[i, 0], space.basis[i, 1], epochs.flux[first + i]
            n00 += w * b0 * b0
            n01 += w * b0 * b1
            n11 += w * b1 * b1
            r0 += w * b0 * y
            r1 += w * b1 * y
            for r in range(n_column):
                t = space.tied[i, r]
                sums[0, r] += t * b0
                sums[1, r] += t * b1
                sums[2, r] += t * y
    for r in range(n_column):
        n00 -= sums[0, r] * sums[0, r]
        n01 -= sums[0, r] * sums[1, r]
        n11 -= sums[1, r] * sums[1, r]
        r0 -= sums[0, r] * sums[2, r]
        r1 -= sums[1, r] * sums[2, r]
    det = n00 * n11 - n01 * n01
    if det > 1e-10 * n00 * n11:
        x0 = (n11 * r0 - n01 * r1) / det
        if x0 > 0.0:
            params[1] = x0
            params[2] = (n00 * r1 - n01 * r0) / det / x0


@compiled
def expand(
    model: ModelArrays,
    epochs: EpochArrays,
    first: int,
    n: int,
    n_band: int,
    n_column: int,
    z: float,
    params: Floats,
    prior_mean: Floats,
    prior_ivar: Floats,
    is_free: bool,
    gradient: Floats,
    hessian: Floats,
    gauss_newton: Floats,
    space: Space,
) -> float:
    """Evaluate chi2 and the derivatives of its half at (t0, x0, x1, c).

    Where `is_free`, x0 and x1 are first put where they are best for t0 and c, which makes Newton
    steps of all four those of t0 and c alone with the others projected out.

    Parameters
    ----------
    model, epochs, first, n, n_band, z
        Model and data: epochs ``first`` to ``first + n``.
    n_column : int
        From `set_weights`.
    params : NDArray, shape (4,)
        Changed where `is_free`.
    prior_mean, prior_ivar : NDArray, shape (4,)
        Gaussian priors.
    is_free : bool
        Whether x0 and x1 are solved for.
    gradient, hessian, gauss_newton : NDArray
        Filled.
    space : Space
        With tables and weights.

    Returns
    -------
    float
        chi2 of data and priors.
    """
    set_color(len(model.phase), n_band, params[3], space)
    fill_basis(model, epochs, first, n, z, params[0], space)
    if is_free:
        solve_amplitudes(epochs, first, n, n_column, params, space)
    total = _residuals(epochs, first, n, n_column, z, params, space)
    gradient[:] = 0.0
    gauss_newton[:] = 0.0
    bend = space.bend
    bend[:] = 0.0
    x0, x1, rate = params[1], params[2], -1.0 / (1.0 + z)
    for i in range(n):
        w = space.ivar[i]
        if w == 0.0:
            continue
        pull, row, b = space.pull[i], space.jacobian[i], space.basis[i]
        for p in range(4):
            gradient[p] -= pull * row[p]
            for q in range(p + 1):
                gauss_newton[p, q] += w * row[p] * row[q]
        bend[0] += pull * (b[4] + x1 * b[5])
        bend[1] += pull * (b[2] + x1 * b[3])
        bend[2] += pull * b[3]
        bend[3] += pull * (b[8] + x1 * b[9])
        bend[4] += pull * b[1]
        bend[5] += pull * (b[6] + x1 * b[7])
        bend[6] += pull * b[7]
        bend[7] += pull * (b[10] + x1 * b[11])
    for p in range(4):
        for q in range(p + 1):
            for r in range(n_column):
                gauss_newton[p, q] -= space.sums[1 + p, r] * space.sums[1 + q, r]
            hessian[p, q] = gauss_newton[p, q]
    hessian[0, 0] -= rate * rate * x0 * bend[0]
    hessian[1, 0] -= rate * bend[1]
    hessian[2, 0] -= rate * x0 * bend[2]
    hessian[3, 0] -= rate * x0 * bend[3]
    hessian[2, 1] -= bend[4]
    hessian[3, 1] -= bend[5]
    hessian[3, 2] -= x0 * bend[6]
    hessian[3, 3] -= x0 * bend[7]
    for p in range(4):
        if prior_ivar[p] > 0.0:
            off = params[p] - prior_mean[p]
            total += prior_ivar[p] * off * off
            gradient[p] += prior_ivar[p] * off
            gauss_newton[p, p] += prior_ivar[p]
            hessian[p, p] += prior_ivar[p]
        for q in range(p):
            hessian[q, p], gauss_newton[q, p] = hessian[p, q], gauss_newton[p, q]
    return total


@compiled
def _residuals(
    epochs: EpochArrays, first: int, n: int, n_column: int, z: float, params: Floats, space: Space
) -> float:
    """Fill the pulls W r, the Jacobian and its sums over the columns; return r^T W r."""
    x0, x1 = params[1], params[2]
    rate = -1.0 / (1.0 + z)
    space.sums[:, :n_column] = 0.0
    total = 0.0
    for i in range(n):
        w = space.ivar[i]
        if w == 0.0:
            continue
        b, row = space.basis[i], space.jacobian[i]
        residual = epochs.flux[first + i] - x0 * (b[0] + x1 * b[1])
        row[0] = rate * x0 * (b[2] + x1 * b[3])
        row[1] = b[0] + x1 * b[1]
        row[2] = x0 * b[1]
        row[3] = x0 * (b[6] + x1 * b[7])
        space.pull[i] = w * residual
        total += w * residual * residual
        for r in range(n_column):
            tied = space.tied[i, r]
            space.sums[0, r] += tied * residual
            for p in range(4):
                space.sums[1 + p, r] += tied * row[p]
    for r in range(n_column):
        total -= space.sums[0, r] ** 2
    if n_column > 0:
        for i in range(n):
            if space.ivar[i] > 0.0:
                for r in range(n_column):
                    space.pull[i] -= space.tied[i, r] * space.sums[0, r]
    return total
