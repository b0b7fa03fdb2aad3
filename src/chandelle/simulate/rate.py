r"""How many supernovae explode, and at which redshifts.

.. math::

    N = \Omega\, T \int_{z_{min}}^{z_{max}} \frac{R(z)}{1+z}\, \frac{dV}{d\Omega\, dz}\, dz,
    \qquad \frac{dV}{d\Omega\, dz} = \frac{c}{H_0} \frac{d_M^2(z)}{E(z)}

with the volumetric rate R in the rest frame. The observer's clock runs slower than the
supernovae's by 1 + z.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.core.units import C_KM_S
from chandelle.physics.distance import Cosmology, comoving_distance, curve, expansion_squared
from chandelle.simulate.piece import real, uniform

Rate = Callable[[Array], Any]
"""Rate [Gpc^-3 yr^-1, rest frame] at an array of redshifts."""

DEG2_OF_SKY = 4.0 * np.pi * (180.0 / np.pi) ** 2
"""The whole sky [deg2]."""
_PANELS, _NODES = 1024, 8
_x, _w = np.polynomial.legendre.leggauss(_NODES)
_UNIT_NODES, _UNIT_WEIGHTS = 0.5 * (_x + 1.0), 0.5 * _w


class ConstantRate(eqx.Module):
    """The same rate at all redshifts.

    Parameters
    ----------
    r0 : float, Gpc^-3 yr^-1
        Type Ia in the ZTF Bright Transient Survey, for H0 = 70.

    References
    ----------
    D. A. Perley et al., 2020, ApJ 904, 35, sect. 5 (2.35e4).
    """

    r0: Float[Array, ""] = eqx.field(converter=real, default=2.35e4)

    def __call__(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Rate at a redshift."""
        return jnp.broadcast_to(self.r0, z.shape)


class PowerLawRate(eqx.Module):
    r"""A rate that evolves, :math:`R = r_0 (1+z)^s`.

    Parameters
    ----------
    r0 : float, Gpc^-3 yr^-1
        Rate today, for H0 = 70.
    slope : float
        The power s.

    References
    ----------
    C. Frohmaier et al., 2019, MNRAS 486, 2308 (2.27e4 and 1.7).
    """

    r0: Float[Array, ""] = eqx.field(converter=real, default=2.27e4)
    slope: Float[Array, ""] = eqx.field(converter=real, default=1.7)

    def __call__(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Rate at a redshift."""
        return self.r0 * jnp.exp(self.slope * jnp.log1p(z))


class TabulatedRate(eqx.Module):
    """A rate interpolated between given redshifts; none beyond them.

    Parameters
    ----------
    z : array, shape (node,)
        Redshifts, increasing.
    rate : array, shape (node,), Gpc^-3 yr^-1
        Rates.
    """

    z: Float[Array, " node"] = eqx.field(converter=jnp.asarray)
    rate: Float[Array, " node"] = eqx.field(converter=jnp.asarray)

    def __check_init__(self) -> None:
        if self.z.shape != self.rate.shape or not bool(jnp.all(jnp.diff(self.z) > 0)):
            raise InputError(
                f"TabulatedRate needs increasing z and as many rates, got {self.z.shape} and "
                f"{self.rate.shape}; sort and drop repeated redshifts"
            )

    def __call__(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Rate at a redshift; NaN beyond the table."""
        return jnp.interp(z, self.z, self.rate, left=jnp.nan, right=jnp.nan)


def count_density(
    z: Float[Array, "*shape"], rate: Rate, cosmology: Cosmology
) -> Float[Array, "*shape"]:
    """Supernovae a redshift, steradian and year of the observer (integrand of the module).

    Parameters
    ----------
    z : Array
        Redshifts.
    rate : callable
        Of an array of redshifts [Gpc^-3 yr^-1].
    cosmology : Cosmology
        The cosmology.

    Returns
    -------
    Array, sr^-1 yr^-1
        Density in redshift.
    """
    rates = jnp.broadcast_to(jnp.asarray(rate(z), dtype=float), z.shape)
    return rates * _volume_of_year(z, cosmology)


@eqx.filter_jit
def _volume_of_year(z: Float[Array, "*shape"], cosmology: Cosmology) -> Float[Array, "*shape"]:
    """Comoving volume a redshift, steradian, and rest-frame year a year of ours [Gpc^3]."""
    hubble = C_KM_S / cosmology.H0
    transverse = hubble * curve(comoving_distance(z, cosmology) / hubble, cosmology.Ok)
    volume = hubble * transverse**2 / jnp.sqrt(expansion_squared(jnp.log1p(z), cosmology))
    return volume * 1e-9 / (1.0 + z)


def _panel_counts(
    rate: Rate, cosmology: Cosmology, z_min: float, z_max: float
) -> tuple[np.ndarray, np.ndarray]:
    """Edges of panels in redshift, and the integral of the density over each."""
    require_x64()
    if not 0.0 <= z_min < z_max < np.inf:
        raise InputError(
            f"redshifts need 0 <= z_min < z_max, got z_min = {z_min:g}, z_max = {z_max:g}"
        )
    edges = np.linspace(z_min, z_max, _PANELS + 1)
    nodes = edges[:-1, None] + np.diff(edges)[:, None] * _UNIT_NODES
    density = np.asarray(count_density(jnp.asarray(nodes), rate, cosmology))
    for is_bad, what in ((~np.isfinite(density), "not finite"), (density < 0, "negative")):
        if is_bad.any():
            low, high = nodes[is_bad].min(), nodes[is_bad].max()
            raise InputError(
                f"density of supernovae (rate x volume) is {what} for z in "
                f"[{low:.4g}, {high:.4g}]; keep z_min and z_max within the rate's and the "
                "cosmology's range, or correct the rate"
            )
    counts = (density @ _UNIT_WEIGHTS) * np.diff(edges)
    if counts.sum() <= 0:
        raise InputError(
            f"the rate is zero everywhere in {z_min:g} < z < {z_max:g}: nothing to draw"
        )
    return edges, counts


def expected_count(
    rate: Rate,
    cosmology: Cosmology,
    *,
    z_min: float = 0.0,
    z_max: float,
    area_deg2: float = DEG2_OF_SKY,
    years: float = 1.0,
) -> float:
    """Mean number of supernovae (equation of the module).

    Gauss-Legendre quadrature in 1024 panels of 8 nodes, exact to 1e-8 for smooth rates.

    Parameters
    ----------
    rate : callable
        Of an array of redshifts [Gpc^-3 yr^-1, rest frame].
    cosmology : Cosmology
        The cosmology.
    z_min, z_max : float
        Range of cosmological redshift.
    area_deg2 : float, deg2
        Solid angle.
    years : float, yr
        Time of the observer, in years of 365.25 days.

    Returns
    -------
    float
        Expected count.

    Raises
    ------
    InputError
        For an empty range of redshift, area or time; a rate that is negative, not finite (also
        beyond its range), or zero everywhere.

    Examples
    --------
    >>> round(expected_count(ConstantRate(), Cosmology(Om=0.3), z_max=0.1), 2)
    6714.03
    """
    if not (0.0 < area_deg2 <= DEG2_OF_SKY * (1.0 + 1e-9) and 0.0 < years < np.inf):
        raise InputError(
            f"need 0 < area_deg2 <= {DEG2_OF_SKY:.2f} and years > 0, got {area_deg2:g} deg2 and "
            f"{years:g} yr"
        )
    _, counts = _panel_counts(rate, cosmology, z_min, z_max)
    return float(counts.sum() * area_deg2 * (np.pi / 180.0) ** 2 * years)


class RedshiftLaw(eqx.Module):
    """Redshifts of a rate, by the inverse of their cumulative distribution: a piece, `z`.

    The cumulative distribution is exact at 1025 nodes; between them the density is linear.

    Attributes
    ----------
    z, cumulative, density : Array, shape (node,)
        Redshifts, share of the supernovae below them, and density up to a factor.

    Examples
    --------
    >>> law = RedshiftLaw.of(ConstantRate(), Cosmology(Om=0.3), z_max=0.1)
    >>> law.quantile(jnp.asarray(0.5)).round(4)
    Array(0.0786, dtype=float64)
    """

    z: Float[Array, " node"]
    cumulative: Float[Array, " node"]
    density: Float[Array, " node"]

    @classmethod
    def of(
        cls, rate: Rate, cosmology: Cosmology, *, z_min: float = 0.0, z_max: float
    ) -> "RedshiftLaw":
        """Tabulate the law between two redshifts.

        Parameters
        ----------
        rate, cosmology, z_min, z_max
            As for `expected_count`, and refused alike.

        Returns
        -------
        RedshiftLaw
            Of 1025 nodes.
        """
        edges, counts = _panel_counts(rate, cosmology, z_min, z_max)
        # A table may end at an edge exactly, so edges are taken a rounding inside.
        inside = np.clip(edges, np.nextafter(z_min, 1e9), np.nextafter(z_max, 0.0))
        density = count_density(jnp.asarray(inside), rate, cosmology)
        total = np.concatenate([[0.0], np.cumsum(counts)])
        return cls(
            z=jnp.asarray(edges),
            cumulative=jnp.asarray(total / total[-1]),
            density=density / jnp.max(density),
        )

    def quantile(self, share: Float[Array, ""]) -> Float[Array, ""]:
        """Redshift below which a share of the supernovae lies."""
        last = self.z.shape[0] - 2
        index = jnp.clip(jnp.searchsorted(self.cumulative, share, side="right") - 1, 0, last)
        low, high = self.cumulative[index], self.cumulative[index + 1]
        s = jnp.where(high > low, (share - low) / jnp.where(high > low, high - low, 1.0), 0.0)
        p0, p1 = self.density[index], self.density[index + 1]
        root = p0 + jnp.sqrt(p0**2 + (p1 - p0) * (p1 + p0) * s)
        t = jnp.where(root > 0, (p0 + p1) * s / jnp.where(root > 0, root, 1.0), s)
        return self.z[index] + t * (self.z[index + 1] - self.z[index])

    def __call__(self, *, key: Key[Array, ""]) -> Float[Array, ""]:
        """Draw a redshift."""
        return self.quantile(uniform(key))
