"""Where supernovae explode: young or old surroundings, local color, host mass, and their errors.

`young` is 1 in young surroundings and 0 in old ones; stretch, host mass, local color and the step
in magnitude follow it.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from chandelle.simulate.piece import normal, real, uniform


class YoungOrOld(eqx.Module):
    r"""Surroundings, whose young fraction rises with redshift.

    .. math:: \delta(z) = \left[K^{-1} (1+z)^{-\phi} + 1\right]^{-1}

    Parameters
    ----------
    ratio : float
        K, young to old supernovae at z = 0.
    power : float
        Growth of that ratio, as that of the specific star formation rate.

    References
    ----------
    M. Rigault et al., 2020, A&A 644, A176, sect. 6 (0.87 and 2.8).

    Examples
    --------
    >>> YoungOrOld().fraction(jnp.asarray(0.05)).round(3)
    Array(0.499, dtype=float64)
    """

    ratio: Float[Array, ""] = eqx.field(converter=real, default=0.87)
    power: Float[Array, ""] = eqx.field(converter=real, default=2.8)

    def fraction(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Young fraction at a redshift."""
        growth = self.ratio * jnp.exp(self.power * jnp.log1p(z))
        return growth / (1.0 + growth)

    def __call__(self, z: Float[Array, ""], *, key: Key[Array, ""]) -> Float[Array, ""]:
        """Draw 1 (young) or 0 (old)."""
        return jnp.where(uniform(key) < self.fraction(z), 1.0, 0.0)


class GaussianOfEnvironment(eqx.Module):
    """A Gaussian quantity whose mean and width depend on the surroundings.

    Parameters
    ----------
    young_mean, young_sigma, old_mean, old_sigma : float
        The two Gaussians.
    """

    young_mean: Float[Array, ""] = eqx.field(converter=real, default=0.0)
    young_sigma: Float[Array, ""] = eqx.field(converter=real, default=1.0)
    old_mean: Float[Array, ""] = eqx.field(converter=real, default=0.0)
    old_sigma: Float[Array, ""] = eqx.field(converter=real, default=1.0)

    def __call__(self, young: Float[Array, ""], *, key: Key[Array, ""]) -> Float[Array, ""]:
        """Draw the quantity."""
        is_young = young > 0.5
        mean = jnp.where(is_young, self.young_mean, self.old_mean)
        return mean + jnp.where(is_young, self.young_sigma, self.old_sigma) * normal(key)


def host_masses() -> GaussianOfEnvironment:
    """Host masses, log10 of suns: old surroundings in heavy galaxies.

    The means are those of the two ages of hosts; the widths are set so that a quarter of the
    supernovae are on the other side of 10 than their age.

    Returns
    -------
    GaussianOfEnvironment
        The piece `host_logmass`.

    References
    ----------
    C. Chung et al., 2023, arXiv:2310.06011 (10^9.5 and 10^10.5).
    """
    return GaussianOfEnvironment(9.5, 0.7, 10.5, 0.7)


def local_colors() -> GaussianOfEnvironment:
    """Rest-frame g - z color within 2 kpc of the supernova: old surroundings are red.

    Means and widths are nominal, set about the cut at 1 mag that splits the ZTF sample.

    Returns
    -------
    GaussianOfEnvironment
        The piece `local_color` [mag].

    References
    ----------
    M. Ginolin et al., 2025, A&A 695, A140, sect. 2 (the cut).
    """
    return GaussianOfEnvironment(0.7, 0.25, 1.3, 0.25)


class Constant(eqx.Module):
    """The same value for all supernovae, such as the error of a measurement.

    Parameters
    ----------
    value : float
        The value.
    """

    value: Float[Array, ""] = eqx.field(converter=real, default=0.0)

    def __call__(self) -> Float[Array, ""]:
        """Give the value."""
        return self.value


def host_logmass_obs(
    host_logmass: Float[Array, ""], host_logmass_err: Float[Array, ""], *, key: Key[Array, ""]
) -> Float[Array, ""]:
    """Measure a host's mass: the piece of that name."""
    return host_logmass + host_logmass_err * normal(key)


def local_color_obs(
    local_color: Float[Array, ""], local_color_err: Float[Array, ""], *, key: Key[Array, ""]
) -> Float[Array, ""]:
    """Measure a local color [mag]: the piece of that name."""
    return local_color + local_color_err * normal(key)
