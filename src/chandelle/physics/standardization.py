r"""The Tripp relation with a host-mass step.

.. math:: \mu = m_B - M + \alpha x_1 - \beta c + \gamma (p - 1/2)

p is the probability that the host is heavier than 10^10 suns. Supernovae in heavy hosts are
brighter after the correction for stretch and color, so gamma is positive.
"""

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, Float

HOST_STEP_LOGMASS = 10.0
"""Place of the host step, log10 of stellar mass in suns."""
_LN10 = 2.302585092994046


class Tripp(eqx.Module):
    """Coefficients of the standardization.

    Parameters
    ----------
    alpha, beta : Array, mag
        Slopes of stretch and color.
    gamma : Array, mag
        Host-mass step.
    M : Array, mag
        Absolute magnitude of a supernova with x1 = c = 0.
    """

    alpha: Float[Array, ""] = eqx.field(converter=jnp.asarray)
    beta: Float[Array, ""] = eqx.field(converter=jnp.asarray)
    gamma: Float[Array, ""] = eqx.field(converter=jnp.asarray, default=0.0)
    M: Float[Array, ""] = eqx.field(converter=jnp.asarray, default=0.0)


def tripp_modulus(
    mb: Float[Array, " sn"],
    x1: Float[Array, " sn"],
    c: Float[Array, " sn"],
    p_high: Float[Array, " sn"],
    *,
    tripp: Tripp,
) -> Float[Array, " sn"]:
    """Standardize peak magnitudes into distance moduli (equation of the module).

    Parameters
    ----------
    mb : Array, shape (sn,), mag
        Peak magnitude in rest-frame B.
    x1, c : Array, shape (sn,)
        SALT stretch and color.
    p_high : Array, shape (sn,)
        Probability of a heavy host.
    tripp : Tripp
        Coefficients.

    Returns
    -------
    Array, shape (sn,), mag
        Distance moduli.

    References
    ----------
    R. Tripp, 1998, A&A 331, 815.

    Examples
    --------
    >>> one = jnp.ones(1)
    >>> tripp_modulus(20 * one, one, 0.1 * one, one, tripp=Tripp(0.15, 3.1, 0.1, -19.3)).round(2)
    Array([39.19], dtype=float64)
    """
    return mb - tripp.M + tripp.alpha * x1 - tripp.beta * c + tripp.gamma * (p_high - 0.5)


def tripp_variance(
    covariance: Float[Array, "sn 3 3"], p_high: Float[Array, " sn"], *, tripp: Tripp
) -> Float[Array, " sn"]:
    r"""Variance of `tripp_modulus` from the light-curve fit and from an unsure host.

    .. math:: \sigma^2 = t^T C t + \gamma^2 p (1 - p), \quad t = (1, \alpha, -\beta)

    Parameters
    ----------
    covariance : Array, shape (sn, 3, 3)
        Covariance of (mb, x1, c).
    p_high : Array, shape (sn,)
        Probability of a heavy host.
    tripp : Tripp
        Coefficients.

    Returns
    -------
    Array, shape (sn,), mag^2
        Variances.
    """
    t = jnp.stack([jnp.ones_like(tripp.alpha), tripp.alpha, -tripp.beta])
    return jnp.einsum("i,nij,j->n", t, covariance, t) + tripp.gamma**2 * p_high * (1 - p_high)


def high_mass_probability(
    logmass: Float[Array, " sn"], logmass_err: Float[Array, " sn"]
) -> Float[Array, " sn"]:
    """Probability that a host is heavier than 10^10 suns.

    Parameters
    ----------
    logmass, logmass_err : Array, shape (sn,)
        log10 of the stellar mass and its error; an unknown error counts as zero.

    Returns
    -------
    Array, shape (sn,)
        Probabilities; 1/2 where the mass is unknown (NaN).
    """
    is_known = jnp.isfinite(logmass)
    distance = jnp.where(is_known, logmass - HOST_STEP_LOGMASS, 0.0)
    has_error = jnp.isfinite(logmass_err) & (logmass_err > 0)
    smooth = norm.cdf(distance / jnp.where(has_error, logmass_err, 1.0))
    sharp = 0.5 * (1.0 + jnp.sign(distance))
    return jnp.where(is_known, jnp.where(has_error, smooth, sharp), 0.5)


def redshift_variance(
    z: Float[Array, " sn"], z_err: Float[Array, " sn"], *, sigma_v: float, lensing: float
) -> Float[Array, " sn"]:
    r"""Variance of a distance modulus from peculiar velocity, redshift error and lensing.

    .. math::

        \sigma^2 = \left[\frac{5}{\ln 10}\frac{1+z}{z(1+z/2)}\right]^2
        \left[\sigma_z^2 + (1+z)^2 \sigma_v^2/c^2\right] + (\ell z)^2

    The slope is that of an empty universe: 2 % off where the term matters, and free of the
    cosmology that is fitted.

    Parameters
    ----------
    z : Array, shape (sn,)
        Redshift of the diagram.
    z_err : Array, shape (sn,)
        Error of the measured redshift alone; unknown (NaN) counts as zero.
    sigma_v : float
        Scatter of peculiar velocities in units of the speed of light.
    lensing : float, mag
        Scatter from lensing at z = 1.

    Returns
    -------
    Array, shape (sn,), mag^2
        Variances.

    References
    ----------
    R. Kessler et al., 2009, ApJS 185, 32, eq. 28 (slope). J. Jonsson et al., 2010, MNRAS 405, 535
    (lensing, 0.055 z).
    """
    slope = 5.0 / _LN10 * (1.0 + z) / (z * (1.0 + 0.5 * z))
    measured = jnp.where(jnp.isfinite(z_err), z_err, 0.0) ** 2
    return slope**2 * (measured + ((1.0 + z) * sigma_v) ** 2) + (lensing * z) ** 2
