"""Numbers that no photometry gives: a slip of units, a sentinel, an overflow."""

import numpy as np
from numpy.typing import NDArray

ZP_MAX = 60.0
"""Largest AB zero point on either side of zero [mag]: W/m2/Hz has -56.1, sentinels are 99."""
FLUX_MAX = 1e20
"""Largest flux, and error, on either side of zero [nJy]: AB magnitude -18.6."""
ERR_MIN = 1e-6
"""Least error [nJy]: AB magnitude 46.4."""
SNR_MAX = 1e7
"""Largest flux over error on either side of zero: photon noise of 1e14 electrons."""


def is_flux_absurd(flux: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which fluxes [nJy] are beyond `FLUX_MAX`, or infinite.

    Parameters
    ----------
    flux : NDArray, shape (obs,), nJy
        Any; NaN is not absurd.

    Returns
    -------
    NDArray of bool, shape (obs,)
        Mask.
    """
    return np.abs(flux) > FLUX_MAX


def is_error_absurd(flux: NDArray[np.float64], flux_err: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which errors [nJy] are too large, too small, or too small for their flux.

    Parameters
    ----------
    flux, flux_err : NDArray, shape (obs,), nJy
        Any; NaN is not absurd.

    Returns
    -------
    NDArray of bool, shape (obs,)
        Mask.
    """
    too_small = (flux_err < ERR_MIN) | (np.abs(flux) / SNR_MAX > flux_err)
    return too_small | (flux_err > FLUX_MAX)
