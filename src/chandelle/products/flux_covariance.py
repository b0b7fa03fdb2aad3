r"""Covariance of the fluxes of a supernova as diagonal plus low rank.

.. math:: C = \mathrm{diag}(d) + U U^T, \qquad d_i = \sigma_i^2 - \sum_k U_{ik}^2

with :math:`\sigma` the whole error of each flux (`flux_err`) and U the column `cov_factor`. A dense
matrix has this form too, with as many columns as epochs, exactly; with fewer columns it is
approximated, and the error is stated.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize

from chandelle.core.errors import InputError

FloatArray = NDArray[np.float64]
MAX_CONDITION = 1e12
"""Condition number of the correlation matrix from which a covariance counts as singular."""
_DIAGONAL_SHARE = 0.99
_ASYMMETRY = 1e-8
_LEAST_OWN = 1e-4
"""Least part of an epoch's variance given the others that is left to it alone, at low rank."""


class CovarianceError(InputError):
    """A covariance that cannot be inverted; `reason` is the word that is counted."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def factor_of(cov: FloatArray) -> FloatArray:
    """Columns U of a dense covariance.

    The diagonal part keeps 99 % of the smallest eigenvalue, in units of the correlations, so that
    what is inverted stays well conditioned.

    Parameters
    ----------
    cov : NDArray, shape (epoch, epoch), nJy^2
        Symmetric and positive definite.

    Returns
    -------
    NDArray, shape (epoch, epoch), nJy
        One column an eigenvector.

    Raises
    ------
    CovarianceError
        If it is not symmetric, not finite, not positive definite or singular; the message gives its
        rank and condition number.
    """
    sigma, values, vectors = _decomposed(cov)
    rest = np.sqrt(values - _DIAGONAL_SHARE * values[0])
    return sigma[:, None] * vectors * rest


def low_rank_factor(cov: FloatArray, rank: int) -> tuple[FloatArray, float]:
    r"""Few columns U that stand for a dense covariance, by maximum likelihood.

    Minimizes the Kullback-Leibler divergence of a Gaussian of covariance :math:`\hat C =
    \mathrm{diag}(d) + U U^T` from that of C, over d and U (factor analysis). For fixed d the best
    columns are eigenvectors of :math:`d^{-1/2} C d^{-1/2}`, of eigenvalues :math:`\theta_k`; d is
    then found by quasi-Newton steps on :math:`\sum_{k > K} (\theta_k - \ln \theta_k - 1)`. The
    whole variance of each epoch stays as it is.

    Parameters
    ----------
    cov : NDArray, shape (epoch, epoch), nJy^2
        Symmetric and positive definite.
    rank : int
        Number of columns K, one or more.

    Returns
    -------
    factor : NDArray, shape (epoch, min(rank, epoch)), nJy
        One column a mode of the shared errors.
    error : float
        Largest relative error of the variance of any linear combination of the fluxes, the largest
        eigenvalue, in absolute value, of :math:`C^{-1/2} \hat C C^{-1/2} - 1`; zero where the
        columns are as many as the epochs.

    Raises
    ------
    InputError
        As for `factor_of`.

    References
    ----------
    K. G. Joreskog, 1967, Psychometrika 32, 443.
    """
    if rank >= len(cov):
        return factor_of(cov), 0.0
    sigma, values, vectors = _decomposed(cov)
    correlation = (vectors * values) @ vectors.T
    alone = 1.0 / np.diagonal((vectors / values) @ vectors.T)
    found = minimize(
        _divergence,
        np.log(alone * (1.0 - 0.5 * rank / len(cov))),
        args=(correlation, rank),
        jac=True,
        method="L-BFGS-B",
        bounds=[(low, 0.0) for low in np.log(_LEAST_OWN * alone)],
        options={"maxfun": 400, "ftol": 1e-12, "gtol": 1e-7},
    )
    own, theta, basis = _whitened(found.x, correlation)
    columns = np.sqrt(own)[:, None] * basis[:, :rank]
    columns *= np.sqrt(np.maximum(theta[:rank] - 1.0, 0.0))
    shared = np.sum(columns**2, axis=1)
    most = 1.0 - _LEAST_OWN * alone
    columns *= np.sqrt(np.minimum(most / np.maximum(shared, most), 1.0))[:, None]
    approximate = columns @ columns.T
    np.fill_diagonal(approximate, 1.0)
    lower = cholesky(correlation, lower=True)
    half = solve_triangular(lower, approximate, lower=True)
    ratio = np.linalg.eigvalsh(solve_triangular(lower, half.T, lower=True))
    return sigma[:, None] * columns, float(np.abs(ratio - 1.0).max())


def _whitened(
    log_own: FloatArray, correlation: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Own variances, and the spectrum in their units with the largest eigenvalue first."""
    own = np.exp(log_own)
    theta, basis = np.linalg.eigh(correlation / np.sqrt(np.outer(own, own)))
    return own, theta[::-1], basis[:, ::-1]


def _divergence(
    log_own: FloatArray, correlation: FloatArray, rank: int
) -> tuple[float, FloatArray]:
    """Twice the divergence at the best columns, and its gradient by the logarithms of d."""
    _, theta, basis = _whitened(log_own, correlation)
    left = np.maximum(theta[rank:], np.finfo(float).tiny)
    slope = (basis[:, rank:] ** 2) @ (1.0 - left)
    return float(np.sum(left - np.log(left) - 1.0)), slope


def _decomposed(cov: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Errors, and eigenvalues (from the least) and eigenvectors of the correlations; checked."""
    if cov.ndim != 2 or cov.shape[0] != cov.shape[1]:
        raise InputError(f"a flux covariance must be square, got {cov.shape}")
    if not np.isfinite(cov).all():
        raise CovarianceError("cov_not_finite", "flux covariance has NaN or infinity")
    sigma = np.sqrt(np.where(np.diagonal(cov) > 0, np.diagonal(cov), np.nan))
    if np.isnan(sigma).any():
        raise CovarianceError(
            "cov_not_positive",
            f"flux covariance: {np.isnan(sigma).sum()} variances are not positive",
        )
    correlation = cov / np.outer(sigma, sigma)
    if np.abs(correlation - correlation.T).max(initial=0.0) > _ASYMMETRY:
        raise CovarianceError("cov_not_symmetric", "flux covariance is not symmetric")
    values, vectors = np.linalg.eigh(0.5 * (correlation + correlation.T))
    limit = values[-1] / MAX_CONDITION
    if values[0] < -limit:
        raise CovarianceError(
            "cov_not_positive",
            "flux covariance is not positive definite: eigenvalues of its correlations from "
            f"{values[0]:.1e} to {values[-1]:.1e}; an error in its making",
        )
    if values[0] < limit:
        least = abs(values[0])
        condition = values[-1] / least if least > 1e-16 * values[-1] else np.inf
        raise CovarianceError(
            "cov_singular",
            f"flux covariance is singular: rank {np.sum(values > limit)} of {len(values)}, "
            f"condition number {condition:.1e}; remove epochs that repeat others, or add the noise "
            "that is missing on its diagonal",
        )
    return sigma, values, vectors


def check_factor(flux_err: FloatArray, factor: FloatArray) -> None:
    """Refuse a factor that explains all of an error or more.

    Raises
    ------
    InputError
        With the number of such epochs.
    """
    if np.ndim(factor) != 2 or len(factor) != len(flux_err):
        raise InputError(
            f"cov_factor must have {len(flux_err)} rows and any columns, got {np.shape(factor)}"
        )
    if not np.isfinite(factor).all():
        raise InputError("cov_factor has NaN or infinity")
    bad = np.sum(factor**2, axis=1) >= flux_err**2 * (1.0 - 1.0 / MAX_CONDITION)
    if bad.any():
        raise InputError(
            f"{bad.sum()} of {len(bad)} epochs share all of their error with others (the squares "
            "of cov_factor sum to flux_err^2 or more), first row "
            f"{int(np.flatnonzero(bad)[0])}; flux_err is the whole error, with the shared part"
        )
