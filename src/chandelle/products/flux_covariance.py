r"""Covariance of the fluxes of a supernova as diagonal plus low rank.

.. math:: C = \mathrm{diag}(d) + U U^T, \qquad d_i = \sigma_i^2 - \sum_k U_{ik}^2

with :math:`\sigma` the whole error of each flux (`flux_err`) and U the column `cov_factor`. A dense
matrix has this form too, with as many columns as epochs, exactly.
"""

import numpy as np
from numpy.typing import NDArray

from chandelle.core.errors import InputError

FloatArray = NDArray[np.float64]
MAX_CONDITION = 1e12
"""Condition number of the correlation matrix from which a covariance counts as singular."""
_DIAGONAL_SHARE = 0.99
_ASYMMETRY = 1e-8


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
    InputError
        If it is not symmetric, not finite, not positive definite or singular; the message gives its
        rank and condition number.
    """
    if cov.ndim != 2 or cov.shape[0] != cov.shape[1]:
        raise InputError(f"a flux covariance must be square, got {cov.shape}")
    if not np.isfinite(cov).all():
        raise InputError("flux covariance has NaN or infinity")
    sigma = np.sqrt(np.where(np.diagonal(cov) > 0, np.diagonal(cov), np.nan))
    if np.isnan(sigma).any():
        raise InputError(f"flux covariance: {np.isnan(sigma).sum()} variances are not positive")
    correlation = cov / np.outer(sigma, sigma)
    if np.abs(correlation - correlation.T).max(initial=0.0) > _ASYMMETRY:
        raise InputError("flux covariance is not symmetric")
    values, vectors = np.linalg.eigh(0.5 * (correlation + correlation.T))
    limit = values[-1] / MAX_CONDITION
    if values[0] < limit:
        state = "not positive definite" if values[0] < -limit else "singular"
        least = abs(values[0])
        condition = values[-1] / least if least > 1e-16 * values[-1] else np.inf
        raise InputError(
            f"flux covariance is {state}: rank {np.sum(values > limit)} of {len(values)}, "
            f"condition number {condition:.1e}; remove epochs that repeat others, or add the noise "
            "that is missing on its diagonal"
        )
    rest = np.sqrt(values - _DIAGONAL_SHARE * values[0])
    return sigma[:, None] * vectors * rest


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
