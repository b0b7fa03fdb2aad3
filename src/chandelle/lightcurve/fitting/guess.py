r"""First guess: linear fits on a grid of times and colors, its best local minima in time.

Each start fits the epochs of its own window of phases, so that chi2 does not compare them. Over all
epochs, with flux f, model flux F and error sigma, the cost of a start is

.. math:: \sum_i \frac{(f_i - F_i)^2}{\sigma_i^2 + e_i^2 (f_i^2 + F_i^2)} + \frac{x_1^2}{4}

where F is zero before the phases of the model, and declines by 0.02 mag a day after them. The
relative error e stands for the model's: 0.05, and 0.1 after its phases.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

WINDOW_DAYS = (-45.0, 25.0)
"""Grid of maxima about the epoch of strongest signal, in rest-frame days."""
N_GRID = 36
N_STARTS = 3
START_COLORS = (-0.1, 0.15, 0.4)
"""Colors tried at each time: with a wrong one, precise ultraviolet epochs decide the time."""
CROWD_DAYS = 15.0
SIGNAL_MAX = 30.0
X1_SPREAD = 2.0
MODEL_ERROR, LATE_ERROR = 0.05, 0.1
"""Relative error of the model when starts are compared, within and after its phases."""


def signal_center(
    mjd: Float[Array, " obs"],
    flux: Float[Array, " obs"],
    ivar: Float[Array, " obs"],
    *,
    z: Float[Array, ""],
) -> Float[Array, ""]:
    """Epoch around which most of the signal lies, so that one outlier does not decide.

    Parameters
    ----------
    mjd, flux, ivar : Array, shape (obs,)
        Times [day], fluxes and inverse variances; `ivar` is zero where there is no epoch.
    z : Array
        Redshift.

    Returns
    -------
    Array, day
        The epoch with the largest sum of squared signal-to-noise ratios, each cut at 30, within
        15 rest-frame days.
    """
    signal = jnp.clip(flux * jnp.sqrt(ivar), 0.0, SIGNAL_MAX) ** 2
    is_near = jnp.abs(mjd[:, None] - mjd[None, :]) < CROWD_DAYS * (1.0 + z)
    crowd = jnp.sum(jnp.where(is_near, signal[None, :], 0.0), axis=1)
    return mjd[jnp.argmax(jnp.where(ivar > 0, crowd, -1.0))]


def amplitude_fit(
    basis: Float[Array, "obs 2"], flux: Float[Array, " obs"], ivar: Float[Array, " obs"]
) -> tuple[Float[Array, " 2"], Float[Array, ""]]:
    """Amplitudes (x0, x0 x1) of one time of maximum, x1 held loosely to 0 +- 2.

    Parameters
    ----------
    basis : Array, shape (obs, 2)
        Model flux of unit x0 and of unit x0 x1.
    flux, ivar : Array, shape (obs,)
        Data and inverse variances.

    Returns
    -------
    amplitudes : Array, shape (2,)
        Zero where the data want a negative x0.
    chi2 : Array
        Of the data, relative to no supernova at all: never positive.
    """
    weighted = basis * ivar[:, None]
    normal = weighted.T @ basis
    right = weighted.T @ flux
    single = right[0] / jnp.where(normal[0, 0] > 0, normal[0, 0], 1.0)
    loose = jnp.where(single > 0, single, 1.0) * X1_SPREAD
    n11 = normal[1, 1] + 1.0 / loose**2
    det = normal[0, 0] * n11 - normal[0, 1] ** 2
    det = jnp.where(det > 0, det, 1.0)
    x0 = (n11 * right[0] - normal[0, 1] * right[1]) / det
    x0x1 = (normal[0, 0] * right[1] - normal[0, 1] * right[0]) / det
    is_usable = (single > 0) & (x0 > 0)
    pair = jnp.where(is_usable, jnp.stack([x0, x0x1]), 0.0)
    chi2 = pair @ (normal @ pair) - 2.0 * (pair @ right)
    return pair, jnp.where(is_usable, chi2, 0.0)


def best_minima(chi2: Float[Array, " grid"]) -> tuple[Float[Array, " start"], Array]:
    """Find the `N_STARTS` deepest local minima of a curve: depths (inf for none) and indices."""
    wall = jnp.full((1,), jnp.inf)
    left = jnp.concatenate([wall, chi2[:-1]])
    right = jnp.concatenate([chi2[1:], wall])
    is_minimum: Bool[Array, " grid"] = (chi2 < left) & (chi2 <= right)
    depth, index = jax.lax.top_k(-jnp.where(is_minimum, chi2, jnp.inf), N_STARTS)
    return -depth, index


def epoch_cost(
    model_flux: Float[Array, " obs"],
    flux: Float[Array, " obs"],
    ivar: Float[Array, " obs"],
    is_late: Bool[Array, " obs"],
) -> Float[Array, " obs"]:
    """What each epoch adds to the cost of a start, the sum of the module's equation.

    Parameters
    ----------
    model_flux, flux : Array, shape (obs,), nJy
        Of the start, declining after the phases of the model, and of the data.
    ivar : Array, shape (obs,)
        Inverse variance of the data; zero where there is no epoch.
    is_late : Array, shape (obs,)
        Whether the epoch comes after the phases of the model.

    Returns
    -------
    Array, shape (obs,)
        Never negative, and bounded.
    """
    error = jnp.where(is_late, LATE_ERROR, MODEL_ERROR)
    floor = error**2 * (flux**2 + model_flux**2)
    return ivar * (flux - model_flux) ** 2 / (1.0 + ivar * floor)
