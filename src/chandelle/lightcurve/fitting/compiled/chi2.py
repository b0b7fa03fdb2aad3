"""chi2 of one supernova with its gradient and Hessian, under any covariance of its fluxes."""

import math

from chandelle.core.compiled import clear, compiled
from chandelle.lightcurve.fitting.compiled.arrays import N_PARAMS, Point, Space, Supernova
from chandelle.lightcurve.fitting.compiled.tables import fill_basis, set_color
from chandelle.physics.compiled.bands import ModelArrays
from chandelle.physics.compiled.errors import relative_variance
from chandelle.physics.compiled.grid import Floats


@compiled
def set_weights(
    model: ModelArrays, one: Supernova, params: Floats, model_cov: bool, space: Space
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
    n_factor = one.factor.shape[1]
    n_column = n_factor
    if model_cov:
        for k in range(one.n_band):
            n_column = max(n_column, n_factor + space.filters[k] + 1)
        set_color(len(model.phase), one.n_band, params[3], space)
        fill_basis(model, one, params[0], space)
    for i in range(one.n):
        space.ivar[i] = 0.0
        if not space.used[i]:
            continue
        variance = one.variance[i]
        for r in range(n_column):
            space.columns[i, r] = one.factor[i, r] if r < n_factor else 0.0
        if model_cov:
            band = space.local[i]
            flux = params[1] * (space.basis[i, 0] + params[2] * space.basis[i, 1])
            phase = (one.mjd[i] - params[0]) / (1.0 + one.z)
            relative = relative_variance(
                space.mean_nodes[band, 0], model, space.mean_wave[band], phase, params[2]
            )
            variance += relative * flux * flux
            space.columns[i, n_factor + space.filters[band]] = space.dispersion[band] * flux
        space.ivar[i] = 1.0 / variance
    if n_column > 0:
        _tie(one.n, n_column, space)
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
def empty_chi2(one: Supernova, n_column: int, space: Space) -> float:
    """Chi2 of the epochs in use without a supernova."""
    sums = space.sums[0]
    clear(sums, n_column)
    total = 0.0
    for i in range(one.n):
        if space.ivar[i] > 0.0:
            flux = one.flux[i]
            total += space.ivar[i] * flux * flux
            for r in range(n_column):
                sums[r] += space.tied[i, r] * flux
    for r in range(n_column):
        total -= sums[r] * sums[r]
    return total


@compiled
def solve_amplitudes(one: Supernova, n_column: int, params: Floats, space: Space) -> None:
    """Put the best x0 and x1 for the basis that stands there into `params`.

    They stay where the best x0 is not positive or the data do not tell them apart.
    """
    n00, n01, n11, r0, r1 = 0.0, 0.0, 0.0, 0.0, 0.0
    sums = space.sums[:3]
    for q in range(len(sums)):
        clear(sums[q], n_column)
    for i in range(one.n):
        w = space.ivar[i]
        if w > 0.0:
            b0, b1, y = space.basis[i, 0], space.basis[i, 1], one.flux[i]
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
def expand(model: ModelArrays, one: Supernova, n_column: int, at: Point, space: Space) -> float:
    """Evaluate chi2 and the derivatives of its half at (t0, x0, x1, c).

    Where ``one.is_free``, x0 and x1 are first put where they are best for t0 and c, which makes
    Newton steps of all four those of t0 and c alone with the others projected out.

    Parameters
    ----------
    model, one
        Model and data.
    n_column : int
        From `set_weights`.
    at : Point
        Its parameters are changed where ``one.is_free``, its derivatives filled.
    space : Space
        With tables and weights.

    Returns
    -------
    float
        chi2 of data and priors.
    """
    set_color(len(model.phase), one.n_band, at.params[3], space)
    fill_basis(model, one, at.params[0], space)
    if one.is_free:
        solve_amplitudes(one, n_column, at.params, space)
    chi2 = _residuals(one, n_column, at.params, space)
    _sum_slopes(one.n, at, space)
    for p in range(N_PARAMS):
        for q in range(p + 1):
            for r in range(n_column):
                at.gauss_newton[p, q] -= space.sums[1 + p, r] * space.sums[1 + q, r]
            at.hessian[p, q] = at.gauss_newton[p, q]
    _add_bends(at, -1.0 / (1.0 + one.z), space.bend)
    chi2 = _add_priors(one, at, chi2)
    for p in range(N_PARAMS):
        for q in range(p):
            at.hessian[q, p] = at.hessian[p, q]
            at.gauss_newton[q, p] = at.gauss_newton[p, q]
    return chi2


@compiled
def _sum_slopes(n: int, at: Point, space: Space) -> None:
    """Sum over epochs the gradient, the Gauss-Newton matrix of the diagonal, and ``space.bend``."""
    gradient, gauss_newton, bend = at.gradient, at.gauss_newton, space.bend
    clear(gradient, N_PARAMS)
    for p in range(N_PARAMS):
        clear(gauss_newton[p], N_PARAMS)
    clear(bend, len(bend))
    x1 = at.params[2]
    for i in range(n):
        w = space.ivar[i]
        if w == 0.0:
            continue
        pull, row, b = space.pull[i], space.jacobian[i], space.basis[i]
        for p in range(N_PARAMS):
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


@compiled
def _add_bends(at: Point, rate: float, bend: Floats) -> None:
    """Add the second derivatives of the fluxes to the Hessian; `rate` is that of phase by t0."""
    hessian, x0 = at.hessian, at.params[1]
    hessian[0, 0] -= rate * rate * x0 * bend[0]
    hessian[1, 0] -= rate * bend[1]
    hessian[2, 0] -= rate * x0 * bend[2]
    hessian[3, 0] -= rate * x0 * bend[3]
    hessian[2, 1] -= bend[4]
    hessian[3, 1] -= bend[5]
    hessian[3, 2] -= x0 * bend[6]
    hessian[3, 3] -= x0 * bend[7]


@compiled
def _add_priors(one: Supernova, at: Point, chi2: float) -> float:
    """Add the priors to the derivatives; return chi2 with them."""
    for p in range(N_PARAMS):
        ivar = one.prior_ivar[p]
        if ivar > 0.0:
            off = at.params[p] - one.prior_mean[p]
            chi2 += ivar * off * off
            at.gradient[p] += ivar * off
            at.gauss_newton[p, p] += ivar
            at.hessian[p, p] += ivar
    return chi2


@compiled
def _residuals(one: Supernova, n_column: int, params: Floats, space: Space) -> float:
    """Fill the pulls W r, the Jacobian and its sums over the columns; return r^T W r."""
    n, flux, rate = one.n, one.flux, -1.0 / (1.0 + one.z)
    x0, x1 = params[1], params[2]
    for q in range(len(space.sums)):
        clear(space.sums[q], n_column)
    total = 0.0
    for i in range(n):
        w = space.ivar[i]
        if w == 0.0:
            continue
        b, row = space.basis[i], space.jacobian[i]
        residual = flux[i] - x0 * (b[0] + x1 * b[1])
        row[0] = rate * x0 * (b[2] + x1 * b[3])
        row[1] = b[0] + x1 * b[1]
        row[2] = x0 * b[1]
        row[3] = x0 * (b[6] + x1 * b[7])
        space.pull[i] = w * residual
        total += w * residual * residual
        for r in range(n_column):
            tied = space.tied[i, r]
            space.sums[0, r] += tied * residual
            for p in range(N_PARAMS):
                space.sums[1 + p, r] += tied * row[p]
    for r in range(n_column):
        total -= space.sums[0, r] ** 2
    if n_column > 0:
        for i in range(n):
            if space.ivar[i] > 0.0:
                for r in range(n_column):
                    space.pull[i] -= space.tied[i, r] * space.sums[0, r]
    return total
