"""Noise of a flux: the sky, and the photons of the source."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from chandelle.core.units import ZP_NJY


def flux_error(
    flux: Float[Array, " obs"], depth: Float[Array, " obs"], zp_electron: Float[Array, " obs"]
) -> Float[Array, " obs"]:
    r"""Error of a flux from the depth of its visit.

    .. math::

        \sigma^2 = \left(\frac{f_5}{5}\right)^2 + (\max(f, 0) - f_5)\, g

    with :math:`f_5` the flux at the 5 sigma depth and g the flux of one photo-electron: the sky
    is what is left of the noise at that depth without the photons of the source.

    Parameters
    ----------
    flux : Array, shape (obs,), nJy
        True flux.
    depth : Array, shape (obs,), AB mag
        Point source at 5 sigma.
    zp_electron : Array, shape (obs,), AB mag
        Source that gives one photo-electron.

    Returns
    -------
    Array, shape (obs,), nJy
        One sigma.

    Examples
    --------
    >>> f5 = 10 ** (-0.4 * (20.8 - ZP_NJY)) * jnp.ones(1)
    >>> round(float((f5 / flux_error(f5, 20.8 * jnp.ones(1), 28.3 * jnp.ones(1)))[0]), 3)
    5.0
    """
    limit = 10.0 ** (-0.4 * (depth - ZP_NJY))
    electron = 10.0 ** (-0.4 * (zp_electron - ZP_NJY))
    return jnp.sqrt((limit / 5.0) ** 2 + (jnp.maximum(flux, 0.0) - limit) * electron)
