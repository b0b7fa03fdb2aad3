"""What lies between a supernova and us: velocities, distance, lensing, Milky Way dust."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from chandelle.core.units import C_KM_S
from chandelle.physics.distance import Cosmology, distance_modulus
from chandelle.simulate.piece import normal, real, uniform

_DIPOLE_RA, _DIPOLE_DEC = np.radians(167.942), np.radians(-6.944)


class PeculiarVelocity(eqx.Module):
    """Gaussian peculiar velocities, receding positive: a piece, `vpec` [km/s].

    Parameters
    ----------
    sigma : float, km/s
        One sigma along the line of sight.

    References
    ----------
    D. Scolnic et al., 2018, ApJ 859, 101, sect. 3 (250 km/s).
    """

    sigma: Float[Array, ""] = eqx.field(converter=real, default=250.0)

    def __call__(self, *, key: Key[Array, ""]) -> Float[Array, ""]:
        """Draw a velocity [km/s]."""
        return self.sigma * normal(key)


def cmb_redshift(z: Float[Array, ""], vpec: Float[Array, ""]) -> Float[Array, ""]:
    r"""Redshift in the frame of the CMB, :math:`1+z_{cmb} = (1+z)(1+v/c)`: a piece, `z_cmb`."""
    return (1.0 + z) * (1.0 + vpec / C_KM_S) - 1.0


class HeliocentricRedshift(eqx.Module):
    r"""Redshift seen from the sun, which moves through the CMB: a piece, `z_hel`.

    .. math:: 1 + z_{hel} = (1 + z_{cmb}) (1 - v_\odot \cdot n / c)

    Parameters
    ----------
    speed : float, km/s
        Of the sun towards ra 167.942, dec -6.944; 0 puts the observer at rest.

    References
    ----------
    Planck Collaboration I, 2020, A&A 641, A1, table 3 (369.82 km/s). T. M. Davis et al., 2011,
    ApJ 741, 67, sect. 2 (the product of 1 + z).
    """

    speed: Float[Array, ""] = eqx.field(converter=real, default=369.82)

    def __call__(
        self, z_cmb: Float[Array, ""], ra: Float[Array, ""], dec: Float[Array, ""]
    ) -> Float[Array, ""]:
        """Heliocentric redshift."""
        ra, dec = jnp.radians(ra), jnp.radians(dec)
        along = np.sin(_DIPOLE_DEC) * jnp.sin(dec)
        along = along + np.cos(_DIPOLE_DEC) * jnp.cos(dec) * jnp.cos(ra - _DIPOLE_RA)
        return (1.0 + z_cmb) * (1.0 - self.speed * along / C_KM_S) - 1.0


class DistanceModulus(eqx.Module):
    """Distance modulus at the cosmological and the heliocentric redshift: a piece, `mu` [mag].

    Parameters
    ----------
    cosmology : Cosmology
        The cosmology.
    """

    cosmology: Cosmology

    def __call__(self, z: Float[Array, ""], z_hel: Float[Array, ""]) -> Float[Array, ""]:
        """Distance modulus [mag]."""
        return distance_modulus(z[None], z_hel[None], self.cosmology)[0]


class GaussianLensing(eqx.Module):
    r"""Lensing as a Gaussian of width :math:`\ell z`: a piece, `lensing_mag`.

    Parameters
    ----------
    sigma : float, mag
        Width at z = 1.

    References
    ----------
    J. Jonsson et al., 2010, MNRAS 405, 535 (0.055 z).
    """

    sigma: Float[Array, ""] = eqx.field(converter=real, default=0.055)

    def __call__(self, z: Float[Array, ""], *, key: Key[Array, ""]) -> Float[Array, ""]:
        """Draw a magnitude [mag]."""
        return self.sigma * z * normal(key)


class SkewedLensing(eqx.Module):
    r"""Lensing with its tail of rare bright magnifications: a piece, `lensing_mag`.

    .. math::

        \Delta = -\ell z\, \frac{e^{s n} - e^{s^2/2}}{e^{s^2/2} \sqrt{e^{s^2} - 1}}, \quad
        n \sim N(0, 1)

    has mean 0, width :math:`\ell z` and skewness :math:`-(e^{s^2}+2)\sqrt{e^{s^2}-1}`: most
    supernovae are slightly demagnified.

    Parameters
    ----------
    sigma : float, mag
        Width at z = 1.
    shape : float
        s; 0.5 gives a skewness of -1.75.

    References
    ----------
    J. Jonsson et al., 2010, MNRAS 405, 535 (0.055 z). A. Taruya et al., 2002, ApJ 571, 638 (the
    log-normal).
    """

    sigma: Float[Array, ""] = eqx.field(converter=real, default=0.055)
    shape: Float[Array, ""] = eqx.field(converter=real, default=0.5)

    def __call__(self, z: Float[Array, ""], *, key: Key[Array, ""]) -> Float[Array, ""]:
        """Draw a magnitude [mag]."""
        half = 0.5 * self.shape**2
        unit = jnp.expm1(self.shape * normal(key) - half) / jnp.sqrt(jnp.expm1(2.0 * half))
        return -self.sigma * z * unit


class MilkyWayDust(eqx.Module):
    """E(B-V) of the Milky Way without a map: a floor and a cut exponential, a piece, `mwebv`.

    Parameters
    ----------
    floor, scale, ceiling : float, mag
        Smallest value, mean of the exponential above it, largest value; chosen to look like a
        survey away from the plane.
    """

    floor: Float[Array, ""] = eqx.field(converter=real, default=0.01)
    scale: Float[Array, ""] = eqx.field(converter=real, default=0.04)
    ceiling: Float[Array, ""] = eqx.field(converter=real, default=0.15)

    def __call__(self, *, key: Key[Array, ""]) -> Float[Array, ""]:
        """Draw an E(B-V) [mag]."""
        share = -jnp.expm1(-(self.ceiling - self.floor) / self.scale)
        return self.floor - self.scale * jnp.log1p(-uniform(key) * share)


class MappedDust(eqx.Module):
    """E(B-V) of the Milky Way from a map that numpy code reads: a piece, `mwebv`.

    A map written in JAX needs no wrapper: any function of (ra, dec) is a piece.

    Parameters
    ----------
    ebv : callable
        Takes arrays of ra and dec [deg, ICRS], gives E(B-V) [mag] in their shape.

    Examples
    --------
    >>> dust = MappedDust(lambda ra, dec: np.where(np.abs(dec) < 20, 0.3, 0.05))
    >>> jax.vmap(dust)(jnp.asarray([10.0, 20.0]), jnp.asarray([-45.0, 5.0]))
    Array([0.05, 0.3 ], dtype=float64)
    """

    ebv: Callable[[np.ndarray, np.ndarray], np.ndarray] = eqx.field(static=True)

    def __call__(self, ra: Float[Array, ""], dec: Float[Array, ""]) -> Float[Array, ""]:
        """E(B-V) [mag] at a position."""
        shape = jax.ShapeDtypeStruct((), jnp.float64)
        return jax.pure_callback(self._read, shape, ra, dec, vmap_method="expand_dims")

    def _read(self, ra: Array, dec: Array) -> np.ndarray:
        places = np.broadcast_arrays(np.asarray(ra), np.asarray(dec))
        return np.broadcast_to(np.asarray(self.ebv(*places), dtype=float), places[0].shape)
