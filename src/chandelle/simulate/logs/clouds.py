r"""Clouds: what is lost of the light, as a smooth field over the focal plane.

The loss at the place :math:`(\xi, \eta)` is

.. math:: A(\xi, \eta) = a \exp\left[\sum_k c_k(t)\, \phi_k(\xi, \eta)\right] \ge 0

with a the level of the night (zero on a photometric one), :math:`\phi_k` a constant and the
cosines and sines of a few long waves, and :math:`c_k(t)` Gaussian and smooth in time. All of it
follows from the key of the night and the time of the exposure.
"""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

WAVELENGTH_DEG = 12.0
"""Longest wave; a ZTF field sees about half of it."""
_WAVES = np.array([(1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2)], dtype=float)
MODES = 1 + 2 * len(_WAVES)
"""The constant, then a cosine and a sine a wave."""
FEATURES = 16
"""Waves in time that make one coefficient."""
_NODES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Clouds:
    """Statistics of clouds.

    Attributes
    ----------
    loss_median : float, mag
        Of the level of a night with clouds.
    night_scatter : float
        Scatter of the logarithm of that level from night to night.
    hour_scatter : float
        Scatter in time, in a night, of the logarithm of the mean loss.
    wave_scatter : float
        Scatter of the longest wave over the focal plane; shorter ones fall as the wavelength to
        the power 4/3 (Kolmogorov screens are steeper still).
    hours : float, h
        Time over which coefficients change.
    """

    loss_median: float = 0.12
    night_scatter: float = 0.7
    hour_scatter: float = 0.5
    wave_scatter: float = 0.3
    hours: float = 0.7


def mode_scatter(clouds: Clouds) -> NDArray[np.float64]:
    """Scatter of each coefficient, shape (mode,).

    Parameters
    ----------
    clouds : Clouds
        Statistics.

    Returns
    -------
    array, shape (mode,)
        In the order of the coefficients.
    """
    waves = clouds.wave_scatter * np.linalg.norm(_WAVES, axis=1) ** (-4.0 / 3.0)
    return np.concatenate([[clouds.hour_scatter], np.repeat(waves, 2)])


def cloud_coefficients(
    hours: NDArray[np.float64],
    *,
    level: float,
    frequency: NDArray[np.float64],
    phase: NDArray[np.float64],
    clouds: Clouds,
) -> NDArray[np.float64]:
    r"""Coefficients of the cloud fields of one night.

    .. math:: c_k(t) = \sigma_k \sqrt{2/M} \sum_m \cos(\omega_{km} t + \varphi_{km})

    which for normal :math:`\omega` of scatter :math:`1/\tau` is a Gaussian process with the
    correlation :math:`\exp(-t^2 / 2 \tau^2)`, up to the finite number M of waves.

    Parameters
    ----------
    hours : array, shape (exposure,), h
        Since any fixed time of the night.
    level : float, mag
        Of the night.
    frequency, phase : array, shape (mode, feature)
        Unit normal numbers, and phases in rad, of the night.
    clouds : Clouds
        Statistics.

    Returns
    -------
    array, shape (exposure, 1 + mode)
        The level [mag], then the coefficients.

    References
    ----------
    A. Rahimi and B. Recht, 2007, Advances in Neural Information Processing Systems 20.
    """
    angle = hours[:, None, None] * frequency / clouds.hours + phase
    process = np.sqrt(2.0 / FEATURES) * np.cos(angle).sum(axis=-1)
    modes = mode_scatter(clouds) * process
    return np.concatenate([np.full((len(hours), 1), level), modes], axis=1)


def cloud_loss(
    coefficients: Float[Array, " coefficient"],
    xi: Float[Array, "*shape"],
    eta: Float[Array, "*shape"],
) -> Float[Array, "*shape"]:
    """Light lost to clouds in one exposure.

    Parameters
    ----------
    coefficients : Array, shape (1 + MODES,)
        Of the exposure: the level [mag], then the modes.
    xi, eta : Array, deg
        Tangent plane of the pointing, east and north.

    Returns
    -------
    Array, mag
        Zero or more.

    Examples
    --------
    >>> clear = jnp.zeros(1 + MODES)
    >>> cloud_loss(clear, jnp.ones(2), jnp.ones(2))
    Array([0., 0.], dtype=float64)
    """
    exponent = coefficients[1] * jnp.ones_like(xi)
    for row, (x, y) in enumerate(_WAVES):
        angle = 2.0 * jnp.pi / WAVELENGTH_DEG * (x * xi + y * eta)
        exponent += coefficients[2 + 2 * row] * jnp.cos(angle)
        exponent += coefficients[3 + 2 * row] * jnp.sin(angle)
    return coefficients[0] * jnp.exp(exponent)


@eqx.filter_jit
def mean_cloud_loss(
    coefficients: Float[Array, "exposure coefficient"], *, width: Float[Array, ""]
) -> Float[Array, " exposure"]:
    """Mean loss over a square field, by Gauss-Legendre quadrature of 8 x 8 nodes.

    Parameters
    ----------
    coefficients : Array, shape (exposure, 1 + MODES)
        As `cloud_coefficients` gives them.
    width : Array, deg
        Side of the square.

    Returns
    -------
    Array, shape (exposure,), mag
        Mean loss.
    """
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    xi, eta = np.meshgrid(node, node)
    xi, eta = 0.5 * width * jnp.asarray(xi), 0.5 * width * jnp.asarray(eta)
    loss = jax.vmap(lambda each: cloud_loss(each, xi, eta))(coefficients)
    return jnp.sum(loss * jnp.asarray(np.outer(weight, weight))[None], axis=(1, 2)) / 4.0
